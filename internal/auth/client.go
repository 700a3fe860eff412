package auth

import "strings"

// shortUserAgent is the header's beginning, without what cannot be stored or would not be shown.
func shortUserAgent(header string) string {
	printable := strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return -1
		}
		return r
	}, header)
	return printable[:min(len(printable), maxUserAgentRunes)]
}
