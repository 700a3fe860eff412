package account_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/account"
)

func TestAddressesAreNormalizedToOneForm(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("a", 64) + "@" + strings.Repeat(strings.Repeat("b", 61)+".", 3) + "com"
	require.Len(t, longest, 254)
	for name, c := range map[string]struct{ address, want string }{
		"as it is":                    {"ada@example.com", "ada@example.com"},
		"upper case":                  {"Ada@EXAMPLE.Com", "ada@example.com"},
		"full width":                  {"ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ", "ada@example.com"},
		"full width and upper case":   {"ＡＤＡ@Example.com", "ada@example.com"},
		"ligature":                    {"ﬁona@example.com", "fiona@example.com"},
		"Kelvin sign":                 {"\u212Aim@example.com", "kim@example.com"},
		"long s":                      {"\u017Fupport@example.com", "support@example.com"},
		"superscript":                 {"ada²@example.com", "ada2@example.com"},
		"tag":                         {"ada+tag@example.com", "ada+tag@example.com"},
		"every character of an atom":  {"!#$%&'*+/=?^_{|}~-@example.com", "!#$%&'*+/=?^_{|}~-@example.com"},
		"dots":                        {"a.d.a@example.co.uk", "a.d.a@example.co.uk"},
		"punycode":                    {"ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"},
		"digits":                      {"1@2.34", "1@2.34"},
		"white space around it":       {" \t\u00a0ada@example.com\u3000\r\n", "ada@example.com"},
		"longest":                     {longest, longest},
		"longest label":               {"a@" + strings.Repeat("b", 63) + ".cd", "a@" + strings.Repeat("b", 63) + ".cd"},
		"three full-width bytes each": {strings.Repeat("ａ", 64) + "@example.com", strings.Repeat("a", 64) + "@example.com"},
	} {
		got, ok := account.NormalizeEmail(c.address)
		require.True(t, ok, name)
		require.Equal(t, c.want, got, name)
	}
}

// invalidAddresses returns invalid e-mail addresses by their fault.
func invalidAddresses() map[string]string {
	return map[string]string{
		"empty":                    "",
		"no at sign":               "ada.example.com",
		"two at signs":             "ada@b@example.com",
		"no local part":            "@example.com",
		"no domain":                "ada@",
		"one label":                "ada@localhost",
		"empty label":              "a@b..c",
		"dot at the domain's end":  "ada@example.com.",
		"dot at its start":         "ada@.example.com",
		"dot at the local end":     "ada.@example.com",
		"dot at the local start":   ".ada@example.com",
		"two dots":                 "a..da@example.com",
		"quoted":                   `"x y"@z.example`,
		"display form":             "X <a@b.example>",
		"angle brackets":           "<a@b.example>",
		"comment":                  "ada(comment)@example.com",
		"two addresses":            "a@b.example,c@d.example",
		"header injection":         "a@b.example\r\nBcc: x@y.example",
		"only white space":         " \t\n",
		"space within":             "ada @example.com",
		"no-break space":           "ada\u00A0@example.com",
		"zero width":               "a\u200Bda@example.com",
		"soft hyphen":              "a\u00ADda@example.com",
		"bidi override":            "ada\u202E@example.com",
		"NUL":                      "ada\x00@example.com",
		"Cyrillic homoglyph":       "\u0430da@example.com",
		"Greek homoglyph":          "ada@ex\u03B1mple.com",
		"dotted capital I":         "\u0130da@example.com",
		"umlaut":                   "jürgen@example.com",
		"domain of another script": "ada@bücher.example",
		"ideographic full stop":    "ada@example。com",
		"half-width full stop":     "ada@example｡com",
		"address literal":          "ada@[127.0.0.1]",
		"hyphen at a label's end":  "ada@example-.com",
		"underscore in the domain": "ada@exam_ple.com",
		"invalid UTF-8":            "ada\xff@example.com",
		"local part of 65":         strings.Repeat("a", 65) + "@example.com",
		"top-level domain of one":  "ada@example.c",
		"label of 64":              "a@" + strings.Repeat("b", 64) + ".com",
		"255 characters":           strings.Repeat("a", 64) + "@" + strings.Repeat(strings.Repeat("b", 61)+".", 3) + "info",
		"a megabyte":               strings.Repeat("a", 1<<20) + "@example.com",
	}
}

func TestInvalidAddressesAreRefusedOnTheirOwn(t *testing.T) {
	t.Parallel()
	for name, address := range invalidAddresses() {
		got, ok := account.NormalizeEmail(address)
		require.False(t, ok, name)
		require.Empty(t, got, name)
	}
}

// storedAddress is an independent check of stored addresses: printable lower-case ASCII with one at sign.
var storedAddress = regexp.MustCompile(`^[^\sA-Z"(),:;<>@\[\\\]\pC\x{80}-\x{10FFFF}]{1,64}@[a-z0-9.-]{3,252}$`)

func FuzzNormalizeEmail(f *testing.F) {
	for _, address := range invalidAddresses() {
		if len(address) < 1000 {
			f.Add(address)
		}
	}
	f.Add("Ａｄａ@ＥＸＡＭＰＬＥ.com")
	f.Add("\u212A\u017F@ﬁ.example")
	f.Fuzz(func(t *testing.T, address string) {
		once, ok := account.NormalizeEmail(address)
		if !ok {
			require.Empty(t, once)
			return
		}
		require.Regexp(t, storedAddress, once)
		require.LessOrEqual(t, len(once), 254)
		twice, ok := account.NormalizeEmail(once)
		require.True(t, ok, "the result is a valid address")
		require.Equal(t, once, twice)
		upper, ok := account.NormalizeEmail(strings.ToUpper(once))
		require.True(t, ok)
		require.Equal(t, once, upper, "case does not matter")
	})
}
