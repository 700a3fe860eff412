package sdktest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
)

// collectText returns the events of a stream as one line, and the error that ended it.
func collectText(ctx context.Context, support *client.Support) (string, error) {
	var text strings.Builder
	for event, err := range support.StreamAIResponse(ctx, ticketID) {
		if err != nil {
			return text.String(), err
		}
		switch event := event.(type) {
		case client.Start:
			text.WriteString("start ")
		case client.Delta:
			text.WriteString(event.Content)
		case client.Reset:
			text.WriteString(" reset ")
		case client.Done:
			text.WriteString(" done")
		case client.Failed:
			text.WriteString(" failed " + string(event.Code))
		}
	}
	return text.String(), nil
}

func TestStreamSurvivesACutAtEveryByte(t *testing.T) {
	t.Parallel()
	whole := answerFrom(0)
	for cut := range whole {
		synctest.Test(t, func(t *testing.T) {
			requests := 0
			text, err := collectText(t.Context(), newSupport(t, func(r *http.Request) (*http.Response, error) {
				requests++
				if requests == 1 {
					return streamOf(io.MultiReader(strings.NewReader(whole[:cut]), iotest.ErrReader(io.ErrUnexpectedEOF))), nil
				}
				seen := 0
				if id := r.Header.Get("Last-Event-ID"); id != "" {
					_, err := fmt.Sscanf(id, responseID.String()+":%d", &seen)
					require.NoError(t, err, id)
				}
				return streamOf(strings.NewReader(answerFrom(seen))), nil
			}))
			require.NoError(t, err)
			require.Equal(t, "start Grüß 👋 reset Grüße failed cancelled", text, "cut after %d bytes", cut)
			require.Equal(t, 2, requests)
		})
	}
}

func TestStreamArrivesByteByByte(t *testing.T) {
	t.Parallel()
	text, err := collectText(t.Context(), newSupport(t, func(*http.Request) (*http.Response, error) {
		return streamOf(iotest.OneByteReader(strings.NewReader(answerFrom(0)))), nil
	}))
	require.NoError(t, err)
	require.Equal(t, "start Grüß 👋 reset Grüße failed cancelled", text)
}

func TestSilentStreamIsResumed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin, requests := time.Now(), 0
		text, err := collectText(t.Context(), newSupport(t, func(r *http.Request) (*http.Response, error) {
			requests++
			switch requests {
			case 1: // Nothing, not even a header.
				<-r.Context().Done()
				return nil, r.Context().Err()
			case 2:
				return streamOf(io.MultiReader(strings.NewReader(answerFrom(0)[:230]), hanging{r.Context()})), nil
			default:
				return streamOf(strings.NewReader(answerFrom(0))), nil
			}
		}))
		require.NoError(t, err)
		require.Equal(t, "start Grüß 👋 reset Grüße failed cancelled", text)
		require.Equal(t, 3, requests)
		require.InDelta(t, 90.7, time.Since(begin).Seconds(), 0.3)
	})
}

func TestKeepAliveCommentsAreNotSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin, requests := time.Now(), 0
		text, err := collectText(t.Context(), newSupport(t, func(*http.Request) (*http.Response, error) {
			requests++
			return streamOf(io.MultiReader(&ticking{left: 40}, strings.NewReader(answerFrom(0)))), nil
		}))
		require.NoError(t, err)
		require.Contains(t, text, "failed")
		require.Equal(t, 1, requests)
		require.Equal(t, 10*time.Minute, time.Since(begin))
	})
}

func TestStreamGivesUpAfterTenResumptionsWithoutAnEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var pauses []time.Duration
		last, requests := time.Now(), 0
		_, err := collectText(t.Context(), newSupport(t, func(*http.Request) (*http.Response, error) {
			requests++
			pauses = append(pauses, time.Since(last))
			last = time.Now()
			return streamOf(strings.NewReader("retry: 2000\n\n")), nil
		}))
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, 11, requests)
		for i, least := range []int{2, 4, 8, 16, 30, 30, 30, 30, 30, 30} {
			pause := pauses[i+1].Seconds()
			require.GreaterOrEqual(t, pause, float64(least))
			require.LessOrEqual(t, pause, 1.25*float64(least))
		}
	})
}

func TestStreamIsResumedWithoutLimitWhileEventsArrive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin, requests := time.Now(), 0
		text, err := collectText(t.Context(), newSupport(t, func(*http.Request) (*http.Response, error) {
			requests++
			if requests > 50 {
				return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
			}
			return streamOf(strings.NewReader("retry: 2000\n\n" + delta(requests, "."))), nil
		}))
		require.NoError(t, err)
		require.Equal(t, strings.Repeat(".", 50), text)
		require.LessOrEqual(t, time.Since(begin), 50*2500*time.Millisecond, "the pause does not grow")
	})
}

func TestPausesBeforeResumptionsAreRandom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pauses := map[time.Duration]bool{}
		for range 10 {
			begin, requests := time.Now(), 0
			_, err := collectText(t.Context(), newSupport(t, func(*http.Request) (*http.Response, error) {
				requests++
				if requests == 1 {
					return streamOf(strings.NewReader("retry: 2000\n\n")), nil
				}
				pauses[time.Since(begin)] = true
				return streamOf(strings.NewReader(answerFrom(0))), nil
			}))
			require.NoError(t, err)
		}
		require.Greater(t, len(pauses), 5)
	})
}

func TestStreamEndsWithTheContext(t *testing.T) {
	t.Parallel()
	for name, upstream := range map[string]upstream{
		"while connecting": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
		"while reading": func(r *http.Request) (*http.Response, error) { return streamOf(hanging{r.Context()}), nil },
		"while waiting": func(*http.Request) (*http.Response, error) {
			return streamOf(strings.NewReader("retry: 60000\n\n")), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				begin := time.Now()
				_, err := collectText(ctx, newSupport(t, upstream))
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, 10*time.Second, time.Since(begin))
			})
		})
	}
}

func TestLeavingAStreamDisconnects(t *testing.T) {
	t.Parallel()
	var request *http.Request
	support := newSupport(t, func(r *http.Request) (*http.Response, error) {
		request = r
		return streamOf(io.MultiReader(strings.NewReader(answerFrom(0)), hanging{r.Context()})), nil
	})
	events := 0
	for _, err := range support.StreamAIResponse(t.Context(), ticketID) {
		require.NoError(t, err)
		events++
		break
	}
	require.Equal(t, 1, events)
	require.ErrorIs(t, request.Context().Err(), context.Canceled)
}

func TestStreamCanBeReadAgain(t *testing.T) {
	t.Parallel()
	support := newSupport(t, func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Last-Event-ID") != "" {
			return nil, errors.New("the second reading goes on after the first")
		}
		return streamOf(strings.NewReader(answerFrom(0))), nil
	})
	stream := support.StreamAIResponse(t.Context(), ticketID)
	for range 2 {
		events := 0
		for _, err := range stream {
			require.NoError(t, err)
			events++
		}
		require.Equal(t, 6, events)
	}
}

func TestStreamLimitsSizes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<16)
	for name, body := range map[string]string{
		"a line":   strings.Repeat(long, 17),
		"an event": "data: {\n" + strings.Repeat("data: "+long+"\n", 17),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			_, err := collectText(t.Context(), newSupport(t, func(*http.Request) (*http.Response, error) {
				requests++
				return streamOf(bytes.NewBufferString(body)), nil
			}))
			require.ErrorIs(t, err, client.ErrProtocol)
			require.Equal(t, 1, requests)
		})
	}
}

func TestStreamRefusesOtherMediaTypes(t *testing.T) {
	t.Parallel()
	_, err := collectText(t.Context(), newSupport(t, func(*http.Request) (*http.Response, error) {
		response := streamOf(strings.NewReader("<html>"))
		response.Header.Set("Content-Type", "text/html")
		return response, nil
	}))
	require.ErrorIs(t, err, client.ErrProtocol)
}

func TestStreamWithoutAnAnswerReturnsErrNoAnswer(t *testing.T) {
	t.Parallel()
	_, err := client.AnswerOf(newSupport(t, func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
	}).StreamAIResponse(t.Context(), ticketID))
	require.ErrorIs(t, err, client.ErrNoAnswer)
}

func TestSlowReaderIsNotSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		support := newSupport(t, func(r *http.Request) (*http.Response, error) {
			requests++
			body := iotest.OneByteReader(strings.NewReader(answerFrom(0)))
			return streamOf(alive{r.Context(), body}), nil
		})
		events := 0
		for _, err := range support.StreamAIResponse(t.Context(), ticketID) {
			require.NoError(t, err)
			events++
			<-time.After(10 * time.Minute)
		}
		require.Equal(t, 6, events)
		require.Equal(t, 1, requests)
	})
}

func TestEventsHaveIDs(t *testing.T) {
	t.Parallel()
	support := newSupport(t, func(*http.Request) (*http.Response, error) {
		return streamOf(strings.NewReader(answerFrom(0))), nil
	})
	var ids []string
	for event, err := range support.StreamAIResponse(t.Context(), ticketID) {
		require.NoError(t, err)
		ids = append(ids, strings.TrimPrefix(event.ID(), responseID.String()))
	}
	require.Equal(t, []string{"", ":1", ":2", ":3", ":4", ":5"}, ids)
}

func TestStreamBeginsAfterLastEventID(t *testing.T) {
	t.Parallel()
	var sent []string
	support := newSupport(t, func(r *http.Request) (*http.Response, error) {
		sent = r.Header.Values("Last-Event-ID")
		return streamOf(strings.NewReader(answerFrom(1))), nil // One event more than requested.
	})
	id := responseID.String() + ":2"
	var ids []string
	for event, err := range support.StreamAIResponse(t.Context(), ticketID, client.WithLastEventID(id)) {
		require.NoError(t, err)
		ids = append(ids, strings.TrimPrefix(event.ID(), responseID.String()))
	}
	require.Equal(t, []string{id}, sent)
	require.Equal(t, []string{"", ":3", ":4", ":5"}, ids)

	for _, err := range support.StreamAIResponse(t.Context(), ticketID, client.WithLastEventID("")) {
		require.NoError(t, err)
	}
	require.Empty(t, sent)
}
