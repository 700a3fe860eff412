package password

const (
	MaxWaiting          = maxHashesWaiting
	MaxWait             = maxHashWait
	MaxWaitingOfNetwork = maxWaitingOfNetwork
)

// PHC is a stored hash.
type PHC struct {
	Memory, Time uint32
	Lanes        uint8
	Salt, Key    []byte
}

// String returns the hash as it is stored.
func (h PHC) String() string {
	return formatPHC(Cost{Memory: h.Memory, Passes: h.Time, Lanes: h.Lanes}, h.Salt, h.Key)
}

// ParsePHC reads a stored hash.
func ParsePHC(phc string) (PHC, error) {
	c, salt, key, err := parsePHC(phc)
	return PHC{Memory: c.Memory, Time: c.Passes, Lanes: c.Lanes, Salt: salt, Key: key}, err
}

// CommonPasswords returns the list in its order.
func CommonPasswords() []string {
	list := make([]string, len(commonPasswords))
	for i, common := range commonPasswords {
		list[i] = string(common)
	}
	return list
}

// OccupySlots occupies all slots for hashes until release is called.
func OccupySlots(h *Hasher) (release func()) {
	places := cap(h.slots)
	for range places {
		h.slots <- struct{}{}
	}
	return func() {
		for range places {
			<-h.slots
		}
	}
}

// Queued returns the number of waiting callers, including stale records of them.
func Queued(h *Hasher) int { return h.queued + len(h.waiting) }
