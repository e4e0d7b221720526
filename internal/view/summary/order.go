package summary

import (
	"cmp"
	"strings"
	"unicode/utf8"
)

// inOrder are the characters of ASCII as the Unicode collation (CLDR, root) orders them, capitals apart.
const inOrder = "\t\n\v\f\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz"

// compareNames orders names of metrics and of their parts as ECMAScript's localeCompare does, which k6's report is sorted by:
// capitals count only where nothing else differs, and come behind small letters. Beyond ASCII the code point decides.
func compareNames(a, b string) int {
	capital := 0
	for restA, restB := a, b; ; {
		if restA == "" || restB == "" {
			return cmp.Or(cmp.Compare(len(restA), len(restB)), capital)
		}
		ra, na := utf8.DecodeRuneInString(restA)
		rb, nb := utf8.DecodeRuneInString(restB)
		wa, upperA := weight(ra)
		wb, upperB := weight(rb)
		if wa != wb {
			return cmp.Compare(wa, wb)
		}
		if capital == 0 && upperA != upperB {
			capital = 1
			if upperB {
				capital = -1
			}
		}
		restA, restB = restA[na:], restB[nb:]
	}
}

func weight(r rune) (w int, upper bool) {
	if r >= 'A' && r <= 'Z' {
		r, upper = r-'A'+'a', true
	}
	if i := strings.IndexRune(inOrder, r); i >= 0 {
		return i, upper
	}
	return len(inOrder) + int(r), upper
}
