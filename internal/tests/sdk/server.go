package sdktest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// NewServer serves all fixtures:
//
//	GET  /fixtures               what they call and what comes of it, as a JSON array: all but the exchanges
//	POST /fixtures/{name}/runs   begins a run: {"base_url": …, "report_url": …}
//	     /runs/{run}/…           the base URL of a run: the server of the fixture
//	GET  /reports/{run}          {"faults": …}, which is empty when the requests were right and all of them came
func NewServer(fixtures []Fixture) http.Handler {
	s := &server{fixtures: fixtures}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /fixtures", func(w http.ResponseWriter, _ *http.Request) {
		described := slices.Clone(fixtures)
		for i := range described {
			described[i].Exchanges = nil
		}
		writeJSON(w, described)
	})
	mux.HandleFunc("POST /fixtures/{name}/runs", s.begin)
	mux.HandleFunc("/runs/{run}/", s.play)
	mux.HandleFunc("GET /reports/{run}", s.report)
	return mux
}

type server struct {
	fixtures []Fixture

	mu   sync.Mutex
	runs []*Player
}

func (s *server) begin(w http.ResponseWriter, r *http.Request) {
	i := slices.IndexFunc(s.fixtures, func(f Fixture) bool { return f.Name == r.PathValue("name") })
	if i < 0 {
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = append(s.runs, NewPlayer(s.fixtures[i]))
	run := strconv.Itoa(len(s.runs) - 1)
	base := "http://" + r.Host
	writeJSON(w, map[string]string{"base_url": base + "/runs/" + run, "report_url": base + "/reports/" + run})
}

func (s *server) play(w http.ResponseWriter, r *http.Request) {
	if player := s.find(r); player != nil {
		http.StripPrefix("/runs/"+r.PathValue("run"), player).ServeHTTP(w, r)
		return
	}
	http.NotFound(w, r)
}

func (s *server) report(w http.ResponseWriter, r *http.Request) {
	player := s.find(r)
	if player == nil {
		http.NotFound(w, r)
		return
	}
	faults := ""
	if err := player.Verify(); err != nil {
		faults = err.Error()
	}
	writeJSON(w, map[string]string{"faults": faults})
}

func (s *server) find(r *http.Request) *Player {
	run, err := strconv.Atoi(r.PathValue("run"))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || run < 0 || run >= len(s.runs) {
		return nil
	}
	return s.runs[run]
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // The values are strings or come from JSON, so encoding cannot fail.
}
