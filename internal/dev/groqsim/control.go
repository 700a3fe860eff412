package groqsim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// postScripts queues one script or an array of them.
func (s *Simulator) postScripts(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControlBody))
	if err != nil {
		writeError(w, http.StatusBadRequest, invalidRequest(err.Error()))
		return
	}
	if body = bytes.TrimSpace(body); len(body) > 0 && body[0] == '{' {
		body = append(append([]byte{'['}, body...), ']')
	}
	var scripts []Script
	decoder := json.NewDecoder(bytes.NewReader(body))
	// A misspelt member would have no effect, silently.
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&scripts); err != nil {
		writeError(w, http.StatusBadRequest, invalidRequest(err.Error()))
		return
	}
	if err := s.Enqueue(scripts...); err != nil {
		writeError(w, http.StatusBadRequest, invalidRequest(err.Error()))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Simulator) getRequests(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.recorder.snapshot())
}

func (s *Simulator) deleteRequests(w http.ResponseWriter, _ *http.Request) {
	s.recorder.clear()
	w.WriteHeader(http.StatusNoContent)
}

func (s *Simulator) postRelease(w http.ResponseWriter, r *http.Request) {
	s.Release(r.PathValue("name"))
	w.WriteHeader(http.StatusNoContent)
}

func (s *Simulator) postReset(w http.ResponseWriter, _ *http.Request) {
	s.Reset()
	w.WriteHeader(http.StatusNoContent)
}
