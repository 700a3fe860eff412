package reasoning

import "sync"

// Habits is what is known of how models write their reasoning.
type Habits struct {
	mu sync.Mutex
	// tagless holds, by model, whether it writes reasoning without the opening tag. A model is missing until it has finished an
	// answer.
	tagless map[string]bool
}

// Stripper returns the Stripper for a model's next answer. The first answer of a model is kept back until it ends or its
// reasoning does, because only then is it known how the model writes; the later ones only of a model that needs it. maxKept bounds what is
// kept back, in bytes.
func (h *Habits) Stripper(model string, maxKept int) Stripper {
	h.mu.Lock()
	defer h.mu.Unlock()
	tagless, known := h.tagless[model]
	return Stripper{suspect: true, waits: tagless || !known, always: tagless, maxKept: maxKept}
}

// Learn records how a model has written an answer that has ended or has shown its reasoning.
func (h *Habits) Learn(model string, s *Stripper, complete bool) {
	if !s.suspect || !s.lone && (!complete || s.always) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tagless == nil {
		h.tagless = make(map[string]bool)
	}
	h.tagless[model] = s.lone
}
