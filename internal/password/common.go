package password

import (
	"bytes"
	_ "embed"
	"slices"
	"strings"
)

//go:embed common_passwords.txt
var commonPasswordFile []byte

// commonPasswords is sorted, so that it can be searched.
var commonPasswords = bytes.Split(bytes.TrimSpace(commonPasswordFile), []byte("\n"))

// IsCommon reports whether the password, in any case, is one of the most common ones of at least 8 characters.
func IsCommon(password string) bool {
	_, found := slices.BinarySearchFunc(commonPasswords, []byte(strings.ToLower(normalize(password))), bytes.Compare)
	return found
}
