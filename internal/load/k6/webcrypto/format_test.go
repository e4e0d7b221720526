package webcrypto

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"testing"
)

func TestEveryFormatBringsTheKeyBack(t *testing.T) {
	r := rig(t)
	got := await(r, `
		const rsa = { modulusLength: 1024, publicExponent: new Uint8Array([0, 1, 0, 1]) };
		const wrong = [];
		let trips = 0;
		const trip = async (k, alg, formats) => {
			for (const f of formats) {
				const out = await subtle.exportKey(f, k);
				const again = await subtle.importKey(f, f === "jwk" ? JSON.parse(JSON.stringify(out)) : out, alg, true, k.usages);
				const back = await subtle.exportKey(f, again);
				const same = f === "jwk" ? JSON.stringify(out) === JSON.stringify(back) : hex(out) === hex(back);
				trips++;
				if (!same || JSON.stringify([k.type, k.algorithm, k.usages]) !== JSON.stringify([again.type, again.algorithm, again.usages])) wrong.push([alg.name, f]);
			}
		};
		for (const hash of ["SHA-1", "SHA-256", "SHA-384", "SHA-512"]) {
			await trip(await subtle.generateKey({ name: "HMAC", hash }, true, ["sign", "verify"]), { name: "HMAC", hash }, ["raw", "jwk"]);
			for (const [name, usages] of [["RSASSA-PKCS1-v1_5", ["sign", "verify"]], ["RSA-PSS", ["sign", "verify"]], ["RSA-OAEP", ["encrypt", "decrypt", "wrapKey", "unwrapKey"]]]) {
				const pair = await subtle.generateKey({ name, hash, ...rsa }, true, usages);
				await trip(pair.privateKey, { name, hash }, ["pkcs8", "jwk"]);
				await trip(pair.publicKey, { name, hash }, ["spki", "jwk"]);
			}
		}
		for (const name of ["AES-CBC", "AES-CTR", "AES-GCM", "AES-KW"]) for (const length of [128, 192, 256]) {
			await trip(await subtle.generateKey({ name, length }, true, ["wrapKey", "unwrapKey"]), { name }, ["raw", "jwk"]);
		}
		for (const namedCurve of ["P-256", "P-384", "P-521"]) for (const [name, usages] of [["ECDSA", ["sign", "verify"]], ["ECDH", ["deriveBits", "deriveKey"]]]) {
			const pair = await subtle.generateKey({ name, namedCurve }, true, usages);
			await trip(pair.privateKey, { name, namedCurve }, ["pkcs8", "jwk"]);
			await trip(pair.publicKey, { name, namedCurve }, ["raw", "spki", "jwk"]);
		}
		return [trips, wrong]`)
	if got != `[110,[]]` {
		t.Errorf("got %s", got)
	}
}

func TestKeysWithoutPrimesAreCompleted(t *testing.T) {
	r := rig(t)
	got := await(r, `
		const alg = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
		const pair = await subtle.generateKey({ ...alg, modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]) }, true, ["sign", "verify"]);
		const { kty, n, e, d, p, q } = await subtle.exportKey("jwk", pair.privateKey);
		const k = await subtle.importKey("jwk", { kty, n, e, d }, alg, true, ["sign"]);
		const full = await subtle.exportKey("jwk", k);
		const other = await subtle.generateKey({ ...alg, modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]) }, true, ["sign", "verify"]);
		const strange = await subtle.exportKey("jwk", other.privateKey);
		return [await subtle.verify(alg, pair.publicKey, await subtle.sign(alg, k, text("m")), text("m")), [full.p, full.q].sort().join() === [p, q].sort().join(),
			await refusal(() => subtle.importKey("jwk", { kty, n, e, d: strange.d }, alg, true, ["sign"])),
			await refusal(() => subtle.importKey("jwk", { kty, n, e, d: strange.d, p, q }, alg, true, ["sign"]))]`)
	if got != `[true,true,"DataError","DataError"]` {
		t.Errorf("got %s", got)
	}
}

func TestWrappedKeysComeBack(t *testing.T) {
	r := rig(t)
	got := await(r, `
		const wrong = [];
		const inner = await subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, true, ["sign"]);
		const ec = (await subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"])).privateKey;
		const rsa = await subtle.generateKey({ name: "RSA-OAEP", hash: "SHA-1", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }, false, ["wrapKey", "unwrapKey"]);
		const usages = ["wrapKey", "unwrapKey"];
		for (const name of ["AES-CBC", "AES-CTR", "AES-GCM", "AES-KW", "RSA-OAEP"]) {
			const k = name === "RSA-OAEP" ? rsa : await subtle.generateKey({ name, length: 256 }, false, usages);
			const p = { name, iv: seq(16), counter: seq(16), length: 64 };
			for (const [what, format, alg] of [[inner, "raw", { name: "HMAC", hash: "SHA-256" }], [inner, "jwk", { name: "HMAC", hash: "SHA-256" }], [ec, "jwk", { name: "ECDSA", namedCurve: "P-256" }]]) {
				if (name === "RSA-OAEP" && what === ec) continue; // too long
				const sealed = await subtle.wrapKey(format, what, k.publicKey || k, p);
				const back = await subtle.unwrapKey(format, sealed, k.privateKey || k, p, alg, true, ["sign"]);
				if (JSON.stringify(await subtle.exportKey("jwk", back)) !== JSON.stringify(await subtle.exportKey("jwk", what))) wrong.push(name + format);
			}
			const hidden = await subtle.importKey("raw", seq(16), "AES-GCM", false, ["encrypt"]);
			wrong.push(await refusal(() => subtle.wrapKey("raw", hidden, k.publicKey || k, p)));
			wrong.push(await refusal(() => subtle.unwrapKey("raw", seq(40), k.privateKey || k, { ...p, iv: seq(15) }, "AES-GCM", true, ["encrypt"])));
		}
		return wrong.join()`)
	// AES-CTR has nothing to notice with that it deciphers nonsense, which is no AES key.
	if want := `"InvalidAccessError,OperationError,InvalidAccessError,DataError,InvalidAccessError,OperationError,InvalidAccessError,OperationError,InvalidAccessError,OperationError"`; got != want {
		t.Errorf("got %s", got)
	}
}

func TestDerivedKeysAgree(t *testing.T) {
	r := rig(t)
	got := await(r, `
		const dh = { name: "ECDH", namedCurve: "P-384" };
		const a = await subtle.generateKey(dh, true, ["deriveKey"]), b = await subtle.generateKey(dh, true, ["deriveKey"]);
		const results = [];
		for (const [alg, usage] of [[{ name: "AES-GCM", length: 256 }, "encrypt"], [{ name: "AES-KW", length: 128 }, "wrapKey"], [{ name: "HMAC", hash: "SHA-256", length: 256 }, "sign"]]) {
			const x = await subtle.deriveKey({ name: "ECDH", public: b.publicKey }, a.privateKey, alg, true, [usage]);
			const y = await subtle.deriveKey({ name: "ECDH", public: a.publicKey }, b.privateKey, alg, true, [usage]);
			const [p, q] = [await subtle.exportKey("raw", x), await subtle.exportKey("raw", y)];
			results.push(p.byteLength, hex(p) === hex(q));
		}
		const base = await subtle.importKey("raw", seq(3), "PBKDF2", false, ["deriveKey", "deriveBits"]);
		for (const iterations of [1, 5000]) {
			const kdf = { name: "PBKDF2", salt: seq(4), iterations, hash: "SHA-256" };
			const k = await subtle.deriveKey(kdf, base, { name: "HMAC", hash: "SHA-256" }, true, ["sign"]);
			results.push(k.algorithm.length, hex(await subtle.exportKey("raw", k)) === hex(await subtle.deriveBits(kdf, base, 512)));
		}
		return results`)
	if got != `[32,true,16,true,32,true,512,true,512,true]` {
		t.Errorf("got %s", got)
	}
}

// TestCounterWrapsAround compares with the sum of blocks that are encrypted one at a time.
func TestCounterWrapsAround(t *testing.T) {
	r := rig(t)
	got := await(r, `
		const k = await subtle.importKey("raw", seq(16), "AES-CTR", false, ["encrypt", "decrypt"]);
		const wrong = [];
		for (const length of [1, 3, 8, 13, 64, 127, 128]) for (const n of [0, 1, 16, 31, 32, 97, 128]) {
			const blocks = Math.ceil(n / 16);
			if (length < 20 && blocks > 2 ** length) continue;
			const counter = new Uint8Array(16).fill(0xff);
			const data = seq(n);
			let start = (1n << 128n) - 1n, twin = "";
			for (let i = 0; i < blocks; i++) {
				const mask = (1n << BigInt(length)) - 1n;
				const now = (start & ~mask) | ((start + BigInt(i)) & mask);
				twin += hex(await subtle.encrypt({ name: "AES-CTR", counter: bytes(now.toString(16).padStart(32, "0")), length }, k, data.slice(16 * i, 16 * i + 16)));
			}
			if (hex(await subtle.encrypt({ name: "AES-CTR", counter, length }, k, data)) !== twin) wrong.push([length, n]);
		}
		return wrong`)
	if got != `[]` {
		t.Errorf("got %s", got)
	}
}

func TestShortTagsOpen(t *testing.T) {
	r := rig(t)
	got := await(r, `
		const k = await subtle.importKey("raw", seq(16), "AES-GCM", false, ["encrypt", "decrypt"]);
		const results = [];
		for (const tagLength of [32, 64, 96, 104, 112, 120, 128]) for (const ivLength of [1, 12, 16]) {
			const p = { name: "AES-GCM", iv: seq(ivLength), additionalData: text("more"), tagLength };
			const sealed = await subtle.encrypt(p, k, text("message"));
			const bad = new Uint8Array(sealed.slice(0)); bad[sealed.byteLength - 1] ^= 1;
			const opened = await subtle.decrypt(p, k, sealed);
			const empty = await subtle.decrypt(p, k, await subtle.encrypt(p, k, seq(0)));
			if (sealed.byteLength !== 7 + tagLength / 8 || hex(opened) !== hex(text("message")) || empty.byteLength !== 0 || (await refusal(() => subtle.decrypt(p, k, bad))) !== "OperationError") results.push([tagLength, ivLength]);
		}
		return results`)
	if got != `[]` {
		t.Errorf("got %s", got)
	}
}

func TestUnsaltedSignaturesAreUnderstood(t *testing.T) {
	for _, bits := range []int{1024, 1025, 1031} { // whose encoded messages begin at all kinds of bits
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"SHA-1", "SHA-256", "SHA-512"} {
			h, err := hashOf(name, "test")
			if err != nil {
				t.Fatal(err)
			}
			digest := h.sum([]byte(name))
			s, err := signUnsalted(k, h, digest)
			if err != nil {
				t.Fatal(err)
			}
			// The standard library finds out how long the salt is when it is told 0.
			if err := rsa.VerifyPSS(&k.PublicKey, h.Hash, digest, s, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto}); err != nil {
				t.Errorf("%d bits, %s: %v", bits, name, err)
			}
			salted, err := rsa.SignPSS(rand.Reader, k, h.Hash, digest, &rsa.PSSOptions{SaltLength: 8})
			if err != nil {
				t.Fatal(err)
			}
			if !verifyUnsalted(&k.PublicKey, h, digest, s) || verifyUnsalted(&k.PublicKey, h, digest, salted) || verifyUnsalted(&k.PublicKey, h, digest[1:], s) {
				t.Errorf("%d bits, %s: the verdict is wrong", bits, name)
			}
		}
	}
}

// FuzzJWK reads keys of any kind; one that is taken must come back the same from its own export.
func FuzzJWK(f *testing.F) {
	f.Add(`{"kty":"oct","k":"AAECAwQFBgcICQoLDA0ODw","alg":"A128GCM","key_ops":["encrypt"],"ext":true}`, "AES-GCM")
	f.Add(`{"kty":"oct","k":"YWJj","ext":"odd"}`, "HMAC")
	f.Add(`{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}`, "ECDSA")
	f.Add(`{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`, "ECDH")
	f.Add(`{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQAB","p":"Aw","q":"Aw","oth":null}`, "RSA-PSS")
	if k, err := rsa.GenerateKey(rand.Reader, 1024); err == nil {
		t := target{alg: algorithm{name: "RSA-OAEP"}}
		if j, err := t.key("private", k).jwk(); err == nil {
			text, _ := json.Marshal(j)
			f.Add(string(text), "RSA-OAEP")
			j.P, j.Q, j.DP, j.DQ, j.QI = "", "", "", "", ""
			text, _ = json.Marshal(j)
			f.Add(string(text), "RSA-OAEP")
		}
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		operations, usages := abilities(name)
		if operations == nil {
			return
		}
		j, err := parseJWK([]byte(text))
		if err != nil {
			return
		}
		want := target{alg: algorithm{name: name, length: -1}, extractable: true, usages: usages}
		if name == "ECDSA" || name == "ECDH" {
			want.alg.curve = "P-256"
		} else {
			want.alg.hash, _ = hashOf("SHA-256", "test")
		}
		k, err := want.take("jwk", nil, j)
		if err != nil {
			return
		}
		first, err := k.jwk()
		if err != nil {
			t.Fatalf("a key that was taken cannot be exported: %v", err)
		}
		again, err := want.take("jwk", nil, first)
		if err != nil {
			t.Fatalf("a key that was exported is not taken: %v", err)
		}
		second, err := again.jwk()
		if err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(first)
		b, _ := json.Marshal(second)
		if string(a) != string(b) {
			t.Errorf("%s\n%s", a, b)
		}
	})
}
