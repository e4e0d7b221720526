package api

import (
	"encoding/json"
	"net/http"
)

type setupAttributes struct {
	Data json.RawMessage `json:"data,omitempty"` // left out where setup() returned nothing
}

func (s *server) getSetup(w http.ResponseWriter, _ *http.Request) {
	answer(w, jsonSimple, document[resource[setupAttributes]]{resource[setupAttributes]{
		Type: "setupData", ID: "default", Attributes: setupAttributes{Data: s.Setup.SetupData()},
	}})
}

func (s *server) putSetup(w http.ResponseWriter, r *http.Request) {
	body, ok := read(w, r, maxSetupData, textPlain)
	if !ok {
		return
	}
	if len(body) > 0 {
		var data json.RawMessage
		if err := json.Unmarshal(body, &data); err != nil {
			refuse(w, http.StatusBadRequest, textPlain, "Error parsing request body", err.Error())
			return
		}
	}
	s.Setup.SetSetupData(body)
	s.getSetup(w, r)
}

func (s *server) runSetup(w http.ResponseWriter, r *http.Request) {
	if !s.alone(r) {
		return
	}
	defer func() { <-s.turn }()
	if err := s.Setup.RunSetup(r.Context()); err != nil {
		refuse(w, http.StatusInternalServerError, textPlain, "Error executing setup", err.Error())
		return
	}
	s.getSetup(w, r)
}

func (s *server) runTeardown(w http.ResponseWriter, r *http.Request) {
	if !s.alone(r) {
		return
	}
	defer func() { <-s.turn }()
	if err := s.Setup.RunTeardown(r.Context()); err != nil {
		refuse(w, http.StatusInternalServerError, textPlain, "Error executing teardown", err.Error())
	}
}

// alone waits for its turn: each call costs a whole virtual user. It reports false when the client has gone first.
func (s *server) alone(r *http.Request) bool {
	select {
	case s.turn <- struct{}{}:
		return true
	case <-r.Context().Done():
		return false
	}
}
