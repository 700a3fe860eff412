package limit

import (
	"sync"
	"time"

	"github.com/supportbackend/support/internal/apperr"
)

// streamsPause is the Retry-After while too many streams are open.
const streamsPause = 5 * time.Second

// Streams limits how many streams are open at a time.
type Streams struct {
	limit, limitEach int

	mu    sync.Mutex
	count int
	each  map[Caller]int
}

// NewStreams returns Streams with a limit for all callers together, and one for each.
func NewStreams(limit, limitEach int) *Streams {
	return &Streams{limit: limit, limitEach: limitEach, each: make(map[Caller]int)}
}

// Enter counts a stream, or a long poll, until leave is called. It returns RateLimited when the caller has too many
// open, and TooManyStreams when the server has.
func (s *Streams) Enter(who Caller) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var refused *apperr.Error
	switch {
	case s.each[who] >= s.limitEach:
		refused = apperr.New(apperr.RateLimited, "The account has reached its limit of open streams.")
	case s.count >= s.limit:
		refused = apperr.New(apperr.TooManyStreams, "The server has reached its limit of open streams.")
	default:
		s.count++
		s.each[who]++
		return func() { s.leave(who) }, nil
	}
	return nil, refused.After(streamsPause)
}

// Open returns how many streams are open.
func (s *Streams) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

func (s *Streams) leave(who Caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count--
	s.each[who]--
	if s.each[who] == 0 {
		delete(s.each, who)
	}
}
