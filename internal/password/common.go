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

// sequences are characters that people type in a row: the alphabet, the digits, and the rows and columns of common
// keyboards.
var sequences = []string{
	"abcdefghijklmnopqrstuvwxyz", "1234567890",
	"qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "azertyuiopqsdfghjklmwxcvbn",
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
}

// maxRepeated is the maximum length of a repeated pattern, as in abcabcabc.
const maxRepeated = 4

// IsWeak reports whether the password, in any case, is easy to guess: one of the most common ones of at least 8 characters,
// the same few characters again and again, or a part of a sequence, in either direction.
func IsWeak(password string) bool {
	password = strings.ToLower(normalize(password))
	_, common := slices.BinarySearchFunc(commonPasswords, []byte(password), bytes.Compare)
	return common || isRepeated([]rune(password)) || slices.ContainsFunc(sequences, func(sequence string) bool {
		return isPartOf(sequence, password)
	})
}

// isRepeated reports whether the text repeats one short pattern.
func isRepeated(text []rune) bool {
	for n := 1; n <= maxRepeated; n++ {
		if len(text) > n && slices.Equal(text[n:], text[:len(text)-n]) {
			return true
		}
	}
	return false
}

// isPartOf reports whether the text is a part of the sequence, forwards or backwards. The sequence wraps around.
func isPartOf(sequence, text string) bool {
	up, down := true, true
	for i := 1; i < len(text) && (up || down); i++ {
		before, at := strings.IndexByte(sequence, text[i-1]), strings.IndexByte(sequence, text[i])
		known := before >= 0 && at >= 0
		up = up && known && at == (before+1)%len(sequence)
		down = down && known && before == (at+1)%len(sequence)
	}
	return up || down
}
