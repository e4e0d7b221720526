package api

import (
	"crypto/md5" //nolint:gosec // the ids of k6's groups and checks, no secret
	"encoding/hex"
	"net/http"
	"strings"

	"throng/internal/metric"
)

type groupShown struct {
	resource[groupAttributes]
	Relationships relationships `json:"relationships"`
}

type groupAttributes struct {
	Path   string        `json:"path"`
	Name   string        `json:"name"`
	Checks []*checkShown `json:"checks"` // null: none
}

type checkShown struct {
	ID     string `json:"id"`
	Path   string `json:"path"`
	Name   string `json:"name"`
	Passes int64  `json:"passes"`
	Fails  int64  `json:"fails"`
}

type relationships struct {
	Groups document[[]reference] `json:"groups"`
	Parent document[*reference]  `json:"parent"` // null: the root
}

type reference struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

func (s *server) getGroups(w http.ResponseWriter, _ *http.Request) {
	answer(w, textPlain, document[[]*groupShown]{groups(s.Measured().Snapshot)})
}

func (s *server) getGroup(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.Path, "/v1/groups/")
	for _, g := range groups(s.Measured().Snapshot) {
		if g.ID == id {
			answer(w, textPlain, document[*groupShown]{g})
			return
		}
	}
	refuse(w, http.StatusNotFound, textPlain, "Not Found", "No group with that ID was found")
}

func idOf(path string) string {
	sum := md5.Sum([]byte(path)) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

// groups shows the root and every group seen so far, parents before their children.
func groups(snap metric.Snapshot) []*groupShown {
	f := forest{at: map[string]*groupShown{}}
	f.group("")
	for _, path := range snap.Groups {
		f.group(path)
	}
	for _, s := range snap.Series {
		if s.Role != metric.CheckPart {
			continue
		}
		path, _ := s.Tag("group")
		name, _ := s.Tag("check")
		g := f.group(path)
		full := path + "::" + name
		g.Attributes.Checks = append(g.Attributes.Checks, &checkShown{
			ID: idOf(full), Path: full, Name: name, Passes: s.Trues, Fails: s.Count - s.Trues,
		})
	}
	return f.all
}

type forest struct {
	at  map[string]*groupShown
	all []*groupShown
}

// group returns the group at path, which it makes with all its parents if it is new.
func (f *forest) group(path string) *groupShown {
	if g := f.at[path]; g != nil {
		return g
	}
	name := path
	var parent *groupShown
	if i := strings.LastIndex(path, "::"); i >= 0 {
		parent, name = f.group(path[:i]), path[i+2:]
	} else if path != "" { // no path of a group begins otherwise, but it has to hang somewhere
		parent = f.group("")
	}
	g := &groupShown{resource: resource[groupAttributes]{Type: "groups", ID: idOf(path), Attributes: groupAttributes{Path: path, Name: name}}}
	g.Relationships.Groups.Data = []reference{}
	if parent != nil {
		g.Relationships.Parent.Data = &reference{"groups", parent.ID}
		siblings := &parent.Relationships.Groups.Data
		*siblings = append(*siblings, reference{"groups", g.ID})
	}
	f.at[path] = g
	f.all = append(f.all, g)
	return g
}
