package webcrypto

import (
	"strings"
	"testing"

	"throng/internal/load/k6/scopetest"
)

const prelude = `
	const { subtle } = crypto;
	const hex = (b) => Array.from(new Uint8Array(b), (x) => x.toString(16).padStart(2, "0")).join("");
	const bytes = (h) => new Uint8Array((h.match(/../g) || []).map((x) => parseInt(x, 16)));
	const text = (s) => new Uint8Array(Array.from(s, (c) => c.charCodeAt(0)));
	const seq = (n) => new Uint8Array(n).map((_, i) => i);
	const refusal = async (f) => { try { await f(); return "none"; } catch (e) { return e instanceof Error ? e.name : "no Error: " + e; } };
	let out;
`

func rig(t testing.TB) *scopetest.Rig {
	r := scopetest.New(t)
	for name, v := range map[string]any{"crypto": Of(r.VU).Crypto(), "CryptoKey": Of(r.VU).CryptoKey()} {
		if err := r.Runtime.Set(name, v); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.Run(prelude); strings.HasPrefix(got, "threw") {
		t.Fatal(got)
	}
	return r
}

// await runs the body of an async function and returns as JSON what it returned, or the error that it ended with.
func await(r *scopetest.Rig, body string) string {
	r.T.Helper()
	if !strings.Contains(body, "return ") {
		body = "return " + body
	}
	r.Run(`out = "pending"; (async () => { ` + body + ` })().then((v) => { out = v; }, (e) => { out = String(e); }); 0`)
	return r.Run("out")
}

func TestKnownAnswers(t *testing.T) {
	r := rig(t)
	for _, tt := range []struct{ name, src, want string }{
		{"FIPS 180-4: SHA-1 of abc", `hex(await subtle.digest("sha-1", text("abc")))`, `a9993e364706816aba3e25717850c26c9cd0d89d`},
		{"FIPS 180-4: SHA-256 of a DataView", `hex(await subtle.digest("SHA-256", new DataView(text("xabc").buffer, 1)))`,
			`ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad`},
		{"RFC 4231 case 2", `const k = await subtle.importKey("raw", text("Jefe"), { name: "hmac", hash: "SHA-256" }, false, ["sign"]);
			return hex(await subtle.sign("HMAC", k, text("what do ya want for nothing?")))`,
			`5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843`},
		{"RFC 6070 case 3", `const k = await subtle.importKey("raw", text("password"), "PBKDF2", false, ["deriveBits"]);
			return hex(await subtle.deriveBits({ name: "PBKDF2", salt: text("salt"), iterations: 4096, hash: "SHA-1" }, k, 160))`,
			`4b007901b765489abead49d926f721d065a429c1`},
		{"RFC 5869 case 1", `const k = await subtle.importKey("raw", new Uint8Array(22).fill(11), "HKDF", false, ["deriveBits"]);
			return hex(await subtle.deriveBits({ name: "HKDF", salt: seq(13), info: bytes("f0f1f2f3f4f5f6f7f8f9"), hash: "SHA-256" }, k, 336))`,
			`3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865`},
		{"RFC 3394 4.1", `const kek = await subtle.importKey("raw", seq(16), "AES-KW", false, ["wrapKey"]);
			const k = await subtle.importKey("raw", bytes("00112233445566778899aabbccddeeff"), "AES-CBC", true, ["encrypt"]);
			return hex(await subtle.wrapKey("raw", k, kek, "AES-KW"))`, `1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5`},
		{"RFC 3394 4.6, backwards", `const kek = await subtle.importKey("raw", seq(32), "AES-KW", false, ["unwrapKey"]);
			const k = await subtle.unwrapKey("raw", bytes("28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"),
				kek, "AES-KW", "AES-GCM", true, ["encrypt"]);
			return hex(await subtle.exportKey("raw", k))`, `00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f`},
		{"SP 800-38A F.2.1", `const k = await subtle.importKey("raw", bytes("2b7e151628aed2a6abf7158809cf4f3c"), "AES-CBC", false, ["encrypt"]);
			return hex(await subtle.encrypt({ name: "AES-CBC", iv: seq(16) }, k, bytes("6bc1bee22e409f96e93d7e117393172a"))).slice(0, 32)`,
			`7649abac8119b246cee98e9b12e9197d`},
		{"SP 800-38A F.5.1", `const k = await subtle.importKey("raw", bytes("2b7e151628aed2a6abf7158809cf4f3c"), "AES-CTR", false, ["encrypt"]);
			return hex(await subtle.encrypt({ name: "AES-CTR", counter: bytes("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"), length: 32 }, k,
				bytes("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")))`,
			`874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff`},
		{"GCM specification, test case 5: an iv of 8 bytes", `const k = await subtle.importKey("raw", bytes("feffe9928665731c6d6a8f9467308308"), "AES-GCM", false, ["encrypt"]);
			return hex(await subtle.encrypt({ name: "AES-GCM", iv: bytes("cafebabefacedbad"), additionalData: bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2") }, k,
				bytes("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"))).slice(-32)`,
			`3612d2e79e3b0785561be14aaca2fccb`},
		{"RFC 5903 8.1: ECDH", `const dh = { name: "ECDH", namedCurve: "P-256" };
			const b64 = (h) => { const abc = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"; let bits = Array.from(bytes(h), (x) => x.toString(2).padStart(8, "0")).join("");
				return bits.match(/.{1,6}/g).map((x) => abc[parseInt(x.padEnd(6, "0"), 2)]).join(""); };
			const i = await subtle.importKey("jwk", { kty: "EC", crv: "P-256", d: b64("C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433"),
				x: b64("DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180"), y: b64("5271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3") }, dh, false, ["deriveBits"]);
			const r = await subtle.importKey("raw", bytes("04D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF6356FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB"), dh, true, []);
			return hex(await subtle.deriveBits({ name: "ECDH", public: r }, i))`,
			`d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de`},
		{"RFC 6979 A.2.5: ECDSA", `const k = await subtle.importKey("raw", bytes("0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB67903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"),
				{ name: "ECDSA", namedCurve: "P-256" }, true, ["verify"]);
			return String(await subtle.verify({ name: "ECDSA", hash: "SHA-256" }, k,
				bytes("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"), text("sample")))`, `true`},
	} {
		if got := await(r, tt.src); got != `"`+tt.want+`"` {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestPromisesSettleInTheLoop(t *testing.T) {
	r := rig(t)
	got := await(r, `const order = [];
		const p = subtle.digest("SHA-1", text("x")).then(() => order.push("digest"));
		const q = subtle.digest("none", text("x")).catch(() => order.push("refusal"));
		Promise.resolve().then(() => order.push("first")).then(() => order.push("second"));
		order.push("now");
		await Promise.all([p, q]);
		return order`)
	if got != `["now","first","second","digest","refusal"]` {
		t.Errorf("order: %s", got)
	}
	if got := r.Run(`subtle.digest("none", text("x")); 0`); !strings.Contains(got, `Uncaught (in promise) NotSupportedError: `) {
		t.Errorf("nobody listens: %s", got)
	}
}

func TestBadInputNeverPanics(t *testing.T) {
	r := rig(t)
	got := await(r, `
		const evil = { get name() { throw new RangeError("own"); } };
		const secret = await subtle.importKey("raw", seq(16), "AES-GCM", true, ["encrypt", "decrypt", "wrapKey", "unwrapKey"]);
		const mac = await subtle.importKey("raw", seq(16), { name: "HMAC", hash: "SHA-256" }, true, ["sign", "verify"]);
		const ec = await subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits", "deriveKey"]);
		const base = await subtle.importKey("raw", seq(3), "PBKDF2", false, ["deriveBits", "deriveKey"]);
		const odd = [undefined, null, 0, -1, 1e99, NaN, "", "AES-GCM", "raw", "jwk", true, 7n, Symbol("s"), () => 1, [], ["sign"], {}, evil, seq(5), new ArrayBuffer(0),
			new Float64Array(1), { name: "AES-GCM", iv: null }, { name: "AES-GCM", iv: seq(12), tagLength: {} }, { name: "HMAC", hash: evil }, { name: "HMAC", hash: "SHA-1", length: -5 },
			{ name: "RSA-PSS", hash: "SHA-256", modulusLength: 1e9, publicExponent: seq(1) }, { name: "ECDSA", namedCurve: 5 }, { name: "ECDH", public: {} },
			{ name: "PBKDF2", hash: "SHA-1", salt: seq(1), iterations: 1e12 }, secret, mac, ec.privateKey, ec.publicKey, base];
		let refusals = 0, strange = [];
		let seed = 1;
		const any = () => { seed = (seed * 1103515245 + 12345) % 2147483648; return odd[seed % odd.length]; };
		for (const op of Object.keys(subtle)) {
			for (let i = 0; i < 400; i++) {
				const args = Array.from({ length: i % 8 }, any);
				try { await subtle[op](...args); } catch (e) { refusals++; if (!(e instanceof Error) || /runtime error|nil pointer/.test(e.message)) strange.push(op + ": " + e); }
			}
		}
		return [Object.keys(subtle).length, refusals > 3000, strange]`)
	if got != `[12,true,[]]` {
		t.Errorf("got %s", got)
	}
}

func TestRefusalsHaveTheNamesOfTheStandard(t *testing.T) {
	r := rig(t)
	if got := await(r, `globalThis.gcm = await subtle.importKey("raw", seq(16), "AES-GCM", false, ["encrypt", "decrypt"]);
		globalThis.ctr = await subtle.importKey("raw", seq(16), "AES-CTR", true, ["encrypt"]);
		globalThis.mac = await subtle.importKey("raw", seq(3), { name: "HMAC", hash: "SHA-256" }, true, ["sign"]);
		globalThis.base = await subtle.importKey("raw", seq(3), "PBKDF2", false, ["deriveBits", "deriveKey"]);
		globalThis.dh = await subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits", "deriveKey"]);
		globalThis.rsa = await subtle.generateKey({ name: "RSA-PSS", hash: "SHA-256", modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]) }, false, ["sign", "verify"]);
		globalThis.kdf = { name: "PBKDF2", salt: seq(2), iterations: 2, hash: "SHA-256" };
		return 0`); got != "0" {
		t.Fatal(got)
	}
	for _, tt := range []struct{ src, want string }{
		{`crypto.getRandomValues()`, "TypeMismatchError"},
		{`crypto.getRandomValues([1])`, "TypeMismatchError"},
		{`crypto.getRandomValues(new Float32Array(1))`, "TypeMismatchError"},
		{`crypto.getRandomValues(new DataView(new ArrayBuffer(1)))`, "TypeMismatchError"},
		{`crypto.getRandomValues(new Uint8Array(65537))`, "QuotaExceededError"},
		{`new CryptoKey()`, "TypeError"},
		{`subtle.digest()`, "TypeError"},
		{`subtle.digest("SHA-1", "text")`, "TypeError"},
		{`subtle.digest({}, seq(1))`, "NotSupportedError"},
		{`subtle.digest({ get name() { throw new RangeError("own") } }, seq(1))`, "RangeError"},
		{`subtle.encrypt({ name: "AES-GCM", iv: seq(0) }, gcm, seq(1))`, "OperationError"},
		{`subtle.encrypt({ name: "AES-GCM", iv: seq(12), tagLength: 8 }, gcm, seq(1))`, "OperationError"},
		{`subtle.decrypt({ name: "AES-GCM", iv: seq(12) }, gcm, seq(15))`, "OperationError"},
		{`subtle.encrypt({ name: "AES-CTR", counter: seq(16), length: 1 }, ctr, seq(33))`, "OperationError"},
		{`subtle.encrypt({ name: "AES-CTR", counter: seq(16), length: 129 }, ctr, seq(1))`, "OperationError"},
		{`subtle.encrypt({ name: "AES-CTR", counter: seq(15), length: 64 }, ctr, seq(1))`, "OperationError"},
		{`subtle.encrypt("HMAC", mac, seq(1))`, "NotSupportedError"},
		{`subtle.sign("HMAC", gcm, seq(1))`, "InvalidAccessError"},
		{`subtle.sign("HMAC", {}, seq(1))`, "TypeError"},
		{`subtle.exportKey("raw", gcm)`, "InvalidAccessError"},
		{`subtle.exportKey("pkcs8", mac)`, "NotSupportedError"},
		{`subtle.exportKey("pkcs8", rsa.privateKey)`, "InvalidAccessError"},
		{`subtle.exportKey("spki", dh.privateKey)`, "InvalidAccessError"},
		{`subtle.exportKey("pkcs8", dh.publicKey)`, "InvalidAccessError"},
		{`subtle.importKey("weird", seq(3), { name: "HMAC", hash: "SHA-1" }, true, ["sign"])`, "NotSupportedError"},
		{`subtle.importKey("raw", seq(0), { name: "HMAC", hash: "SHA-1" }, true, ["sign"])`, "DataError"},
		{`subtle.importKey("raw", seq(6), { name: "HMAC", hash: "SHA-1", length: 40 }, true, ["sign"])`, "DataError"},
		{`subtle.importKey("raw", seq(6), { name: "HMAC", hash: "SHA-1" }, true, ["sing"])`, "SyntaxError"},
		{`subtle.importKey("raw", seq(6), { name: "HMAC", hash: "SHA-1" }, true, "sign")`, "TypeError"},
		{`subtle.importKey("jwk", { kty: "RSA", k: "YWJj" }, { name: "HMAC", hash: "SHA-1" }, true, ["sign"])`, "DataError"},
		{`subtle.importKey("jwk", { kty: "oct", k: "YWJjZA==" }, { name: "HMAC", hash: "SHA-1" }, true, ["sign"])`, "DataError"},
		{`subtle.importKey("jwk", { kty: "oct", k: 5 }, { name: "HMAC", hash: "SHA-1" }, true, ["sign"])`, "DataError"},
		{`subtle.importKey("jwk", { kty: "oct", k: "YWJj" }, "PBKDF2", false, ["deriveBits"])`, "NotSupportedError"},
		{`subtle.generateKey("Ed25519", true, ["sign"])`, "NotSupportedError"},
		{`subtle.generateKey({ name: "HMAC", hash: "SHA-1", length: 0 }, true, ["sign"])`, "OperationError"},
		{`subtle.generateKey({ name: "RSA-PSS", hash: "SHA-1", modulusLength: 512, publicExponent: new Uint8Array([1, 0, 1]) }, true, ["sign"])`, "OperationError"},
		{`subtle.generateKey({ name: "RSA-PSS", hash: "SHA-1", modulusLength: 1024, publicExponent: new Uint8Array([3]) }, true, ["sign"])`, "OperationError"},
		{`subtle.deriveBits(kdf, base, 0)`, "OperationError"},
		{`subtle.deriveBits(kdf, base)`, "OperationError"},
		{`subtle.deriveBits({ ...kdf, salt: undefined }, base, 8)`, "TypeError"},
		{`subtle.deriveBits({ ...kdf, iterations: undefined }, base, 8)`, "TypeError"},
		{`subtle.deriveBits({ ...kdf, hash: undefined }, base, 8)`, "SyntaxError"},
		{`subtle.deriveBits({ ...kdf, hash: "MD5" }, base, 8)`, "NotSupportedError"},
		{`subtle.deriveBits({ name: "ECDH", public: dh.privateKey }, dh.privateKey, 8)`, "InvalidAccessError"},
		{`subtle.deriveBits({ name: "ECDH", public: dh.publicKey }, dh.privateKey, 264)`, "OperationError"},
		{`subtle.deriveKey(kdf, base, { name: "AES-GCM", length: 64 }, true, ["encrypt"])`, "DataError"},
		{`subtle.deriveKey(kdf, base, { name: "AES-GCM", length: 128 }, true, [])`, "SyntaxError"},
		{`subtle.deriveKey(kdf, base, { name: "AES-GCM", length: 128 }, true, ["sign"])`, "SyntaxError"},
		{`subtle.sign("RSA-PSS", rsa.privateKey, seq(1))`, "SyntaxError"},
		{`subtle.sign({ name: "RSA-PSS", saltLength: 1000 }, rsa.privateKey, seq(1))`, "OperationError"},
		{`subtle.sign({ name: "RSA-PSS", saltLength: 8 }, rsa.publicKey, seq(1))`, "InvalidAccessError"},
	} {
		if got := await(r, `return await refusal(() => `+tt.src+`)`); got != `"`+tt.want+`"` {
			t.Errorf("%s: %s, want %s", tt.src, got, tt.want)
		}
	}
}

func TestKeysCannotBeChanged(t *testing.T) {
	r := rig(t)
	got := await(r, `"use strict";
		const k = await subtle.importKey("raw", seq(3), { name: "HMAC", hash: "SHA-256" }, true, ["verify", "sign", "sign"]);
		const tried = [await refusal(() => { k.type = "public"; }), await refusal(() => { delete k.usages; })];
		k.mine = 1;
		k.usages.push("encrypt");
		return [k instanceof CryptoKey, tried, k.mine, k, await refusal(() => subtle.encrypt("AES-GCM", k, seq(1)))]`)
	if got != `[true,["TypeError","TypeError"],1,{"type":"secret","extractable":true,"algorithm":{"name":"HMAC","length":24,"hash":{"name":"SHA-256"}},"usages":["verify","sign","encrypt"],"mine":1},"InvalidAccessError"]` {
		t.Errorf("got %s", got)
	}
}
