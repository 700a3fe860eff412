package limit

import (
	"sync"
	"time"

	"github.com/supportbackend/support/internal/apperr"
)

const (
	// maxUnread limits the bytes of the responses that clients have not read yet, and maxUnreadEach those of one caller.
	maxUnread     = 64 << 20
	maxUnreadEach = 8 << 20
	unreadPause   = time.Second
)

// Unread counts the bytes of responses that clients have not read yet.
type Unread struct {
	mu    sync.Mutex
	total int
	each  map[Caller]int
}

// Hold counts a body until release is called. It returns RateLimited when the caller has too many unread bytes, and
// ServerBusy when all callers together have.
func (u *Unread) Hold(who Caller, size int) (release func(), err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.each[who] > 0 && u.each[who]+size > maxUnreadEach:
		return nil, apperr.New(apperr.RateLimited, "Read the responses to earlier requests first.").After(unreadPause)
	case u.total > 0 && u.total+size > maxUnread:
		return nil, apperr.New(apperr.ServerBusy, "The server has reached its limit of unread responses.").
			After(unreadPause)
	}
	if u.each == nil {
		u.each = make(map[Caller]int)
	}
	u.total += size
	u.each[who] += size
	return func() { u.release(who, size) }, nil
}

func (u *Unread) release(who Caller, size int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.total -= size
	u.each[who] -= size
	if u.each[who] == 0 {
		delete(u.each, who)
	}
}
