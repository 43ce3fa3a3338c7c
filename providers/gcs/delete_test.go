package gcs

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// A delete has the generation as its condition, which fake-gcs-server ignores. An object that is gone is no error,
// even if the service answers that the condition does not hold.
func TestGCSDeletesOnConditions(t *testing.T) {
	t.Parallel()
	for generation, there := range map[string]bool{"7": true, "8": true, "9": false} {
		var sent string
		_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) bool {
			switch {
			case r.Method == http.MethodDelete:
				sent = r.URL.Query().Get("ifGenerationMatch")
				if generation == "7" {
					w.WriteHeader(http.StatusNoContent)
					return true
				}
				fail(w, http.StatusPreconditionFailed, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
			case strings.HasSuffix(r.URL.Path, "/o/p/a") && there:
				w.Header().Set("Content-Type", "application/json")
				w.Write([]byte(`{"name":"p/a","generation":"7","size":"1"}`))
			case strings.HasSuffix(r.URL.Path, "/o/p/a"):
				fail(w, http.StatusNotFound, "notFound", "No such object: bucket/p/a")
			default:
				return false
			}
			return true
		})
		err := b.Delete(t.Context(), []store.Object{{Key: "a", Version: generation}})
		if changed := generation == "8"; sent != generation || errors.Is(err, store.ErrChanged) != changed || (err == nil) == changed {
			t.Errorf("generation %s: sent %q: %v", generation, sent, err)
		}
		if there {
			if o, err := b.Stat(t.Context(), "a"); err != nil || o.Version != "7" {
				t.Errorf("%+v, %v", o, err)
			}
		}
	}
}
