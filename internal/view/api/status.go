package api

import (
	"encoding/json"
	"errors"
	"net/http"
)

type statusShown struct {
	Phase   int   `json:"status"`
	Paused  bool  `json:"paused"`
	VUs     int64 `json:"vus"`
	VUsMax  int64 `json:"vus-max"`
	Stopped bool  `json:"stopped"`
	Running bool  `json:"running"`
	Tainted bool  `json:"tainted"`
}

// statusAsked is what a client may send: what it read, with what it wants changed. Only pointers that are set and Stopped
// count.
type statusAsked struct {
	Phase   int    `json:"status"`
	Paused  *bool  `json:"paused"`
	VUs     *int64 `json:"vus"`
	VUsMax  *int64 `json:"vus-max"`
	Stopped bool   `json:"stopped"`
	Running bool   `json:"running"`
	Tainted bool   `json:"tainted"`
}

func (s *server) getStatus(w http.ResponseWriter, _ *http.Request) {
	answer(w, jsonUTF8, document[resource[statusShown]]{resource[statusShown]{
		Type: "status", ID: "default", Attributes: statusShown(s.Run.Status()),
	}})
}

func (s *server) patchStatus(w http.ResponseWriter, r *http.Request) {
	body, ok := read(w, r, maxPatch, jsonUTF8)
	if !ok {
		return
	}
	var asked document[resource[statusAsked]]
	if err := json.Unmarshal(body, &asked); err != nil {
		refuse(w, http.StatusBadRequest, jsonUTF8, "Invalid data", err.Error())
		return
	}
	a := asked.Data.Attributes
	if a.Stopped { // whatever else was asked for does not matter any more
		s.Run.Stop()
		s.getStatus(w, r)
		return
	}
	if a.Paused != nil {
		if err := s.Run.Pause(*a.Paused); err != nil {
			refuse(w, http.StatusInternalServerError, jsonUTF8, "Pause error", err.Error())
			return
		}
	}
	if a.VUs != nil || a.VUsMax != nil {
		switch err := s.Run.Scale(a.VUs, a.VUsMax); {
		case errors.Is(err, ErrFixed):
			refuse(w, http.StatusInternalServerError, jsonUTF8, "Execution config error", err.Error())
			return
		case err != nil:
			refuse(w, http.StatusBadRequest, jsonUTF8, "Config update error", err.Error())
			return
		}
	}
	s.getStatus(w, r)
}
