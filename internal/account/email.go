package account

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// An address is a dot-atom and a domain of at least two labels (RFC 5321, section 4.1.2, without quoted local parts and
// address literals). It is matched after normalization, in lower case.
var emailPattern = regexp.MustCompile(
	`^[a-z0-9!#$%&'*+/=?^_{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_{|}~-]+)*` +
		`@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])$`)

const (
	maxEmail     = 254
	maxLocalPart = 64
)

// NormalizeEmail returns the form in which addresses are stored and compared: trimmed, Unicode NFKC, lower case. It
// reports false for text that is not an address, for example one with letters of other scripts that look Latin.
func NormalizeEmail(address string) (string, bool) {
	address, ok := foldEmail(address)
	if !ok {
		return "", false
	}
	local, _, _ := strings.Cut(address, "@")
	if len(address) > maxEmail || len(local) > maxLocalPart || !emailPattern.MatchString(address) {
		return "", false
	}
	return address, true
}

// isReserved reports whether a normalized address is in the domain of the addresses that the product makes for accounts
// without a log-in.
func isReserved(address string) bool { return strings.HasSuffix(address, ".invalid") }

// foldEmail normalizes an address or the beginning of one. It reports false for text that no address begins with.
func foldEmail(address string) (string, bool) {
	if len(address) > 4*maxEmail {
		return "", false
	}
	address = norm.NFKC.String(strings.TrimSpace(address))
	if strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r >= unicode.MaxASCII }) {
		// Checked before lower-casing, because the Turkish dotted I becomes an ordinary i.
		return "", false
	}
	return strings.ToLower(address), true
}
