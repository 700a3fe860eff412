package password_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/password"
)

const (
	salt16 = "MDEyMzQ1Njc4OWFiY2RlZg"
	key32  = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"
)

// invalidHashes returns invalid hashes by their fault.
func invalidHashes() map[string]string {
	rest := "$" + salt16 + "$" + key32
	return map[string]string{
		"empty":                "",
		"bcrypt":               "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"argon2i":              "$argon2i$v=19$m=19456,t=2,p=1" + rest,
		"upper case":           "$ARGON2ID$v=19$m=19456,t=2,p=1" + rest,
		"other version":        "$argon2id$v=16$m=19456,t=2,p=1" + rest,
		"no version":           "$argon2id$m=19456,t=2,p=1" + rest,
		"text before":          "x$argon2id$v=19$m=19456,t=2,p=1" + rest,
		"text after":           "$argon2id$v=19$m=19456,t=2,p=1" + rest + "$",
		"no key":               "$argon2id$v=19$m=19456,t=2,p=1$" + salt16,
		"empty key":            "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$",
		"key of 15 bytes":      "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$MDEyMzQ1Njc4OWFiY2Rl",
		"key of 65 bytes":      "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$" + strings.Repeat("MDEy", 21) + "MDE",
		"empty salt":           "$argon2id$v=19$m=19456,t=2,p=1$$" + key32,
		"salt of 7 bytes":      "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Ng$" + key32,
		"padded salt":          "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "==$" + key32,
		"base64 for URLs":      "$argon2id$v=19$m=19456,t=2,p=1$" + "_-EyMzQ1Njc4OWFiY2RlZg$" + key32,
		"slack bits":           "$argon2id$v=19$m=19456,t=2,p=1$" + salt16[:21] + "h$" + key32,
		"line break in a key":  "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$" + key32[:20] + "\n" + key32[20:],
		"no passes":            "$argon2id$v=19$m=19456,t=0,p=1" + rest,
		"no lanes":             "$argon2id$v=19$m=19456,t=2,p=0" + rest,
		"256 lanes":            "$argon2id$v=19$m=19456,t=2,p=256" + rest,
		"memory over 1 GiB":    "$argon2id$v=19$m=1048577,t=2,p=1" + rest,
		"memory over 32 bits":  "$argon2id$v=19$m=4294967296,t=2,p=1" + rest,
		"negative memory":      "$argon2id$v=19$m=-1,t=2,p=1" + rest,
		"hexadecimal memory":   "$argon2id$v=19$m=0x4c00,t=2,p=1" + rest,
		"leading zero":         "$argon2id$v=19$m=019456,t=2,p=1" + rest,
		"space":                "$argon2id$v=19$m= 19456,t=2,p=1" + rest,
		"parameter too many":   "$argon2id$v=19$m=19456,t=2,p=1,keyid=x" + rest,
		"garbage after lanes":  "$argon2id$v=19$m=19456,t=2,p=1x" + rest,
		"parameters reordered": "$argon2id$v=19$t=2,m=19456,p=1" + rest,
	}
}

func TestStoredHashRoundTrip(t *testing.T) {
	t.Parallel()
	phc := "$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$" + key32
	hash, err := password.ParsePHC(phc)
	require.NoError(t, err)
	require.Equal(t, password.PHC{
		Memory: 19456, Time: 2, Lanes: 1,
		Salt: []byte("0123456789abcdef"), Key: []byte("0123456789abcdef0123456789abcdef"),
	}, hash)
	require.Equal(t, phc, hash.String())
}

func TestInvalidHashIsRefusedAndNotQuoted(t *testing.T) {
	t.Parallel()
	for name, phc := range invalidHashes() {
		hash, err := password.ParsePHC(phc)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), key32, name)
		require.Nil(t, hash.Salt, name)
		require.Nil(t, hash.Key, name)
	}
}

func FuzzParsePHC(f *testing.F) {
	for _, phc := range invalidHashes() {
		f.Add(phc)
	}
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$" + salt16 + "$" + key32)
	f.Fuzz(func(t *testing.T, phc string) {
		hash, err := password.ParsePHC(phc)
		if err != nil {
			return
		}
		require.Positive(t, hash.Time)
		require.Positive(t, hash.Lanes)
		require.LessOrEqual(t, hash.Memory, uint32(1<<20))
		require.GreaterOrEqual(t, len(hash.Salt), 8)
		require.GreaterOrEqual(t, len(hash.Key), 16)
		require.LessOrEqual(t, len(hash.Key), 64)
		require.Equal(t, phc, hash.String(), "a hash has one spelling")
	})
}
