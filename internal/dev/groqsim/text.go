package groqsim

import (
	"encoding/json"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"unicode"
	"unicode/utf16"
)

// longestToken is the number of characters after which a word is divided, as tokenizers do with rare words.
const longestToken = 8

// tokenize divides text the way a model's tokenizer would: a word with the space before it, long words in pieces, and
// everything else character by character. The tokens joined are the text.
func tokenize(text string) []string {
	var tokens []string
	start, length := 0, 0
	cut := func(at int) {
		if at > start {
			tokens = append(tokens, text[start:at])
		}
		start, length = at, 0
	}
	inWord := false
	for i, r := range text {
		word := unicode.IsLetter(r) || unicode.IsDigit(r)
		leadingSpace := word && !inWord && i == start+1 && text[start] == ' '
		switch {
		case leadingSpace:
		case !word || !inWord || length >= longestToken:
			cut(i)
		}
		inWord = word
		length++
	}
	cut(len(text))
	return tokens
}

var (
	openings = []string{
		"Thank you for contacting support about %s.",
		"Thanks for reaching out, and I am sorry for the trouble with %s.",
		"I understand that you need help with %s.",
	}
	firstSteps = []string{
		"Please sign out, close the app completely, and sign in again; this refreshes your session and solves most cases like this one.",
		"First, please open Settings, then Account, and check that the details shown there are up to date, because an old entry often causes this.",
		"As a first step, please try the same thing in a private browser window, so that we can rule out an extension or a stale cache.",
	}
	secondSteps = []string{
		"If that does not help, note the time of your next attempt and any message you see, so that we can find it in our logs.",
		"Should it happen again, please send us the exact message and the time it appeared; both let us trace what went wrong.",
		"If nothing changes, tell us which device and version you use, and whether it ever worked before.",
	}
	closings = []string{
		"A colleague will look at it personally if these steps do not solve it. Is there anything else I can help you with?",
		"Reply to this ticket at any time and we will pick it up from here. You will not have to explain it again.",
		"I will keep this ticket open until you tell us that everything works as it should.",
	}
)

// supportAnswer makes up an answer of 60 to 120 words to a customer's message, the same for the same arguments.
func supportAnswer(message string, seed int64) string {
	random := rand.New(rand.NewPCG(uint64(seed), 0)) //nolint:gosec // The same seed has to give the same text.
	pick := func(texts []string) string { return texts[random.IntN(len(texts))] }
	subject := "your request"
	if words := firstWords(message); words != "" {
		subject = "\"" + words + "\""
	}
	return strings.Join([]string{
		strings.Replace(pick(openings), "%s", subject, 1), pick(firstSteps), pick(secondSteps), pick(closings),
	}, " ")
}

// firstWords returns the first words of a message, at most six and 48 characters, without anything but letters, digits
// and what joins them.
func firstWords(message string) string {
	const maxWords, maxRunes = 6, 48
	words := strings.FieldsFunc(message, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && r != '\'' && r != '-'
	})
	var kept []string
	runes := 0
	for _, word := range words[:min(maxWords, len(words))] {
		runes += len([]rune(word)) + 1
		if runes > maxRunes {
			break
		}
		kept = append(kept, word)
	}
	return strings.Join(kept, " ")
}

func seedOf(text string) int64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(text)) // A hash never fails.
	return int64(hash.Sum64() >> 1)
}

// contentLiterals returns the JSON strings of a token's deltas: one, or two halves of each surrogate pair if those are
// to be divided.
func contentLiterals(token string, splitSurrogates bool) []json.RawMessage {
	if !splitSurrogates {
		return []json.RawMessage{quote(token)}
	}
	var literals []json.RawMessage
	rest := token
	for i, r := range token {
		high, low := utf16.EncodeRune(r)
		if high == unicode.ReplacementChar {
			continue
		}
		offset := i - (len(token) - len(rest))
		head := quote(rest[:offset])
		literals = append(literals,
			json.RawMessage(string(head[:len(head)-1])+escape(high)+`"`),
			json.RawMessage(`"`+escape(low)+`"`))
		rest = rest[offset+len(string(r)):]
	}
	if rest != "" || len(literals) == 0 {
		literals = append(literals, quote(rest))
	}
	return literals
}

func escape(r rune) string {
	const digits = "0123456789abcdef"
	return `\u` + string([]byte{digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15]})
}

func quote(text string) json.RawMessage {
	literal, _ := encode(text) // A string can always be marshalled.
	return literal
}
