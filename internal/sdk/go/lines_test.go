package client

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client/plain"
)

func TestLinesEndWithTheLineOfTypeEnd(t *testing.T) {
	t.Parallel()
	const user, end = `{"type":"user"}` + "\n", `{"type":"end"}` + "\n"
	for name, test := range map[string]struct {
		mediaType, body string
		want            []plain.ExportLineType
		fails           bool
		protocol        bool
	}{
		"whole":              {mediaTypeLines, user + end, []plain.ExportLineType{"user", "end"}, false, false},
		"more after the end": {mediaTypeLines, user + end + user, []plain.ExportLineType{"user", "end"}, false, false},
		"without an end":     {mediaTypeLines, user + user, []plain.ExportLineType{"user", "user"}, true, false},
		"cut within a line":  {mediaTypeLines, user + end[:5], []plain.ExportLineType{"user"}, true, false},
		"empty":              {mediaTypeLines, "", nil, true, false},
		"no JSON":            {mediaTypeLines, user + "<html>\n", []plain.ExportLineType{"user"}, true, true},
		"another media type": {"application/json", user + end, nil, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSupport(t, answers(response(http.StatusOK, test.mediaType, test.body, nil)))
			isEnd := func(line plain.ExportLine) bool { return line.Type == plain.ExportLineTypeEnd }
			var got []plain.ExportLineType
			var failed error
			for line, err := range lines(t.Context(), s, operation{}, nil, isEnd, get("export")) {
				if failed = err; err == nil {
					got = append(got, line.Type)
				}
			}
			require.Equal(t, test.want, got)
			require.Equal(t, test.fails, failed != nil, "%v", failed)
			if test.protocol {
				require.ErrorIs(t, failed, ErrProtocol)
			}
		})
	}
}
