package stream

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/tests/bench/report"
	"github.com/supportbackend/support/internal/tests/bench/rig"
	"github.com/supportbackend/support/internal/tests/bench/stamp"
)

const (
	// prefix is the number of tokens that the answers have before they fall silent, and prefixSpeed is their speed.
	prefix      = 200
	prefixSpeed = 500
	// The simulator sends a chunk without text this often, so that the server does not time out, and this many times
	// until the server's limit for an answer, 120 s.
	beatInterval = 8 * time.Second
	beats        = 14

	// maxAnswers is the number of answers that the readers share.
	maxAnswers  = 100
	openTimeout = 60 * time.Second
	// opening is how many readers connect at the same time.
	opening = 32
)

// crowd is many readers of a few silent answers.
type crowd struct {
	wanted, readers, answers int
	// watching is how long there are only heartbeats.
	watching time.Duration
	// lister lists tickets in the meantime.
	lister *rig.Customer

	conns []net.Conn
	wg    sync.WaitGroup
	// heartbeats and ended count the events of all readers.
	heartbeats, ended atomic.Int64
}

// MeasureReaders measures the cost of so many idle readers, or of as many as the limit of open files allows.
func MeasureReaders(ctx context.Context, r *rig.Rig, readers int, watching time.Duration) (report.Stage, error) {
	c := &crowd{wanted: readers, answers: min(maxAnswers, readers), watching: watching}
	// Each answer needs two more sockets, and the rest of the process a few.
	c.readers = min(c.wanted, rig.OpenFiles()-2*c.answers-200)
	server, err := r.StartServer(ctx)
	if err != nil {
		return report.Stage{}, err
	}
	defer server.Stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var i idle
	if err := c.gather(ctx, r, server, &i); err != nil {
		return report.Stage{}, err
	}
	defer c.close()
	if err := c.watch(ctx, r, server, &i); err != nil {
		return report.Stage{}, err
	}
	if ended := c.ended.Load(); ended > 0 {
		return report.Stage{}, fmt.Errorf("%d readers did not stay", ended)
	}
	i.goroutines, err = server.Goroutines()
	return readersStage(c, &i, r.Database.CountsStatements), err
}

// gather connects the readers.
func (c *crowd) gather(ctx context.Context, r *rig.Rig, server *rig.Process, i *idle) error {
	questions, err := ask(ctx, server.URL, c.answers)
	if err != nil {
		return err
	}
	c.lister = questions[0].Customer
	if i.alone, err = probe(ctx, c.lister, c.watching/3); err != nil {
		return err
	}
	if err := c.holdAnswers(ctx, r, server, questions); err != nil {
		return err
	}
	if i.rssBefore, err = server.RSS(); err != nil {
		return err
	}
	begin := time.Now()
	err = c.open(ctx, server, questions, c.readers-c.answers)
	i.opening = time.Since(begin)
	return err
}

// holdAnswers begins the answers, with a reader each, and returns when all of them stand still.
func (c *crowd) holdAnswers(ctx context.Context, r *rig.Rig, server *rig.Process, questions []question) error {
	if err := hold(ctx, r, prefix); err != nil {
		return err
	}
	if err := c.open(ctx, server, questions, c.answers); err != nil {
		return err
	}
	held := 0
	waiting, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	err := r.Simulator.Wait(waiting, func(requests []groqsim.RequestRecord) bool {
		held = 0
		for _, request := range requests {
			if request.HeldAt == beat(0) {
				held++
			}
		}
		return held == c.answers
	})
	if err != nil {
		return fmt.Errorf("%d of %d answers stand still: %w", held, c.answers, err)
	}
	return nil
}

// hold makes the simulator answer every request with this many tokens, and then send only beats until ctx ends.
func hold(ctx context.Context, r *rig.Rig, tokensFirst int) error {
	script := groqsim.Script{Deltas: stamp.Tokens(tokensFirst), TokensPerSecond: prefixSpeed}
	for i := range beats {
		script.Deltas = append(script.Deltas, "")
		script.Gates = append(script.Gates, groqsim.Gate{Name: beat(i), After: tokensFirst + i})
	}
	if err := r.Script(script); err != nil {
		return err
	}
	go func() {
		for i := range beats {
			select {
			case <-ctx.Done():
				return
			case <-time.After(beatInterval):
				r.Simulator.Release(beat(i))
			}
		}
	}()
	return nil
}

func beat(i int) string { return "beat " + strconv.Itoa(i) }

// open connects n more readers and returns when each has received something.
func (c *crowd) open(ctx context.Context, server *rig.Process, questions []question, n int) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	next := make(chan question, n)
	for i := range n {
		next <- questions[i%len(questions)]
	}
	close(next)
	var mu sync.Mutex
	var failure error
	var doors sync.WaitGroup
	for range opening {
		doors.Go(func() {
			for q := range next {
				conn, err := openReader(ctx, server, q)
				mu.Lock()
				if err != nil {
					failure = cmp.Or(failure, err)
				} else {
					c.conns = append(c.conns, conn)
					c.wg.Go(func() { c.listen(conn) })
				}
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	doors.Wait()
	return failure
}

// accepted is the beginning of a response with a stream.
const accepted = "HTTP/1.1 200"

var errRefused = errors.New("the answer was refused")

// openReader requests an answer and returns when its text has begun. It uses no http.Client, which would need as much
// CPU time and memory as the measured server.
func openReader(ctx context.Context, server *rig.Process, q question) (net.Conn, error) {
	host := strings.TrimPrefix(server.URL, "http://")
	conn, err := q.Dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline) // SetDeadline fails only on a closed connection.
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nAccept: text/event-stream\r\n\r\n",
		q.path(), host, q.Authorization)
	var text []byte
	for buffer := make([]byte, 16<<10); err == nil && bytes.IndexByte(text, stamp.Blank[0]) < 0; {
		var n int
		n, err = conn.Read(buffer)
		text = append(text, buffer[:n]...)
		if err == nil && len(text) >= len(accepted) && !bytes.HasPrefix(text, []byte(accepted)) {
			err = errRefused
		}
	}
	if err != nil {
		status, _, _ := bytes.Cut(text, []byte("\r\n"))
		_, body, _ := bytes.Cut(text, []byte("\r\n\r\n"))
		return nil, errors.Join(fmt.Errorf("open a reader: %w: %s %.300q", err, status, body), conn.Close())
	}
	return conn, conn.SetDeadline(time.Time{})
}

// listen counts a reader's events until its connection ends.
func (c *crowd) listen(conn net.Conn) {
	for buffer := make([]byte, 512); ; {
		n, err := conn.Read(buffer)
		c.heartbeats.Add(int64(bytes.Count(buffer[:n], []byte(": keep-alive"))))
		if err != nil {
			c.ended.Add(1)
			return
		}
	}
}

func (c *crowd) close() {
	for _, conn := range c.conns {
		_ = conn.Close() // The server may have closed it first.
	}
	c.wg.Wait()
}
