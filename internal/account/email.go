package account

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// An address is a dot-atom and a domain of at least two labels (RFC 5321, section 4.1.2, without quoted local parts and
// address literals). It is matched after normalisation, in lower case.
var emailPattern = regexp.MustCompile(
	`^[a-z0-9!#$%&'*+/=?^_{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_{|}~-]+)*` +
		`@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])$`)

const (
	maxEmail     = 254
	maxLocalPart = 64
)

// NormalizeEmail returns the one form in which an address is stored and compared: without white space around it, Unicode
// NFKC, lower case. It reports false for anything else, such as letters of other scripts that look like Latin ones.
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

// isReserved reports whether an address is in the domain of the addresses that we make ourselves, for accounts that nobody
// logs in to. It is in its one form.
func isReserved(address string) bool { return strings.HasSuffix(address, ".invalid") }

// foldEmail brings an address, or its beginning, into the form in which addresses are stored. It reports false for what no
// address begins with.
func foldEmail(address string) (string, bool) {
	if len(address) > 4*maxEmail {
		return "", false
	}
	address = norm.NFKC.String(strings.TrimSpace(address))
	if strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r >= unicode.MaxASCII }) {
		// Before the lower case is taken: that of a Turkish dotted I is an ordinary i.
		return "", false
	}
	return strings.ToLower(address), true
}
