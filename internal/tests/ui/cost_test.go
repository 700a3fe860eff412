//go:build ui && linux

package ui

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/internal/dev/groqsim"
)

const (
	costReaders = 100
	costTokens  = 400
	costRounds  = 4
	// maxCost is how much more a token may cost in the AI SDK's stream than in the native one. The bound is generous,
	// because the machine may be busy.
	maxCost = 1.5
)

// TestChatTokenCostsLittleMoreThanANativeOne compares the CPU time of one server while many readers read the same
// answers.
func TestChatTokenCostsLittleMoreThanANativeOne(t *testing.T) { //nolint:paralleltest // It measures.
	d := newDesk(t)
	var spent [2]time.Duration
	for i := range 2 * (costRounds + 1) {
		cpu := d.costOf(t, i%2 == 1)
		if i >= 2 { // The first round of each is a warm-up.
			spent[i%2] += cpu
		}
	}
	per := func(i int) time.Duration { return spent[i] / (costRounds * costReaders * costTokens) }
	ratio := float64(spent[1]) / float64(spent[0])
	t.Logf("CPU per token and reader: native %v, AI SDK %v, ratio %.2f", per(0), per(1), ratio)
	require.Less(t, ratio, maxCost)
}

// costOf makes many readers read one answer, and returns the server's CPU time.
func (d *desk) costOf(t *testing.T, chat bool) time.Duration {
	t.Helper()
	gate := uuid.NewString()
	deltas := make([]string, costTokens)
	for i := range deltas {
		deltas[i] = "word " + strconv.Itoa(i%10) + " "
	}
	require.NoError(t, d.simulator.Enqueue(groqsim.Script{
		Deltas: deltas, TokensPerSecond: 200, Gates: []groqsim.Gate{{Name: gate, After: 1}},
	}))
	var ticket, response struct{ ID uuid.UUID }
	d.call(t, http.MethodPost, "/tickets", `{"title":"t","description":"d"}`, &ticket)
	d.call(t, http.MethodPost, fmt.Sprintf("/tickets/%s/ai-responses", ticket.ID), "{}", &response)
	path := fmt.Sprintf("/ai-responses/%s/stream", response.ID)
	if chat {
		path = fmt.Sprintf("/ui/v7/chat/%s/stream", ticket.ID)
	}
	var readers, begun sync.WaitGroup
	begun.Add(costReaders)
	for range costReaders {
		readers.Go(func() {
			reply := d.send(t, http.MethodGet, path, "")
			defer func() { _ = reply.Body.Close() }()
			first := make([]byte, 1)
			_, _ = reply.Body.Read(first)
			begun.Done()
			_, err := io.Copy(io.Discard, reply.Body)
			if err != nil {
				t.Error(err)
			}
		})
	}
	begun.Wait()
	before := d.cpu(t)
	d.simulator.Release(gate)
	readers.Wait()
	return d.cpu(t) - before
}

// cpu returns the CPU time of the first server so far.
func (d *desk) cpu(t *testing.T) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.replicas[0].Process.Pid))
	require.NoError(t, err)
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var ticks int
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.Atoi(field)
		require.NoError(t, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
