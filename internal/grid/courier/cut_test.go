package courier

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestAnAnswerThatIsCutOffIsNone has a node end while it says what is wrong: nobody knows what, and whoever asked may ask again.
func TestAnAnswerThatIsCutOffIsNone(t *testing.T) {
	t.Parallel()
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(`{"error":"the no`))
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(node.Close)
	c := &Client{HTTP: node.Client()}
	if err := c.JSON(t.Context(), http.MethodPost, node.URL, "/", nil, nil); !errors.Is(err, ErrUnreachable) {
		t.Errorf("%v", err)
	}
}
