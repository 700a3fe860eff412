package groq

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// chunkOf returns a chunk as Groq writes it. All chunks of an answer have the same created.
func chunkOf(created int, delta map[string]any, finish any) string {
	data, err := json.Marshal(map[string]any{
		"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": created, "model": "openai/gpt-oss-120b",
		"choices": []any{map[string]any{"index": 0, "delta": delta, "logprobs": nil, "finish_reason": finish}},
	})
	if err != nil {
		panic(err)
	}
	return "data: " + string(data) + "\n\n"
}

// Chunks that differ only in their content are not decoded, and mean the same as decoded ones.
func TestTemplateChunksEqualDecodedOnes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		content := rapid.OneOf(
			rapid.SampledFrom([]string{"", " the", `"`, `\`, `\"`, `"}`, `"content":"x"`, "stop", "😀", "é\n", "\x00", `":null`}),
			rapid.String(),
		)
		var alike, distinct strings.Builder
		for i := range rapid.IntRange(1, 12).Draw(t, "chunks") {
			delta := map[string]any{"content": content.Draw(t, "content")}
			if rapid.IntRange(0, 7).Draw(t, "reasons") == 0 {
				delta["reasoning"] = content.Draw(t, "reasoning")
			}
			alike.WriteString(chunkOf(1, delta, nil))
			distinct.WriteString(chunkOf(i+1, delta, nil))
		}
		end := chunkOf(1, map[string]any{}, "stop") + "data: [DONE]\n\n"
		limits := testLimits()
		require.Equal(t, decode(strings.NewReader(distinct.String()+end), limits), decode(strings.NewReader(alike.String()+end), limits))
	})
}

// tokens is an endless answer.
type tokens struct{ chunk, rest string }

func (r *tokens) Read(p []byte) (int, error) {
	if r.rest == "" {
		r.rest = r.chunk
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func endless() *decoder {
	limits := testLimits()
	limits.Answer = 1 << 40
	return newDecoder(&tokens{chunk: chunkOf(1, map[string]any{"content": " token"}, nil)}, limits)
}

// A delta allocates only its text.
//
//nolint:paralleltest // Allocations of other tests would be counted.
func TestDeltaAllocatesItsTextOnly(t *testing.T) {
	d := endless()
	allocs := testing.AllocsPerRun(1000, func() {
		if text, err := d.next(); err != nil || text != " token" {
			panic(fmt.Sprint(text, err))
		}
	})
	require.LessOrEqual(t, allocs, 1.0)
}

func BenchmarkDelta(b *testing.B) {
	for _, c := range []struct {
		name string
		made func() *decoder
	}{
		{"of one form", endless},
		{"decoded", func() *decoder {
			var chunks strings.Builder
			for i := range 1000 {
				chunks.WriteString(chunkOf(i, map[string]any{"content": " token"}, nil))
			}
			limits := testLimits()
			limits.Answer = 1 << 40
			return newDecoder(io.MultiReader(&tokens{chunk: chunks.String()}), limits)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			d := c.made()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
