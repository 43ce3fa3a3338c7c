package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Scrapes that come at once get one answer: with a thousand archives it takes time and megabytes. None is refused, and
// one that goes away takes no other's answer with it.
func TestScrapesShareAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var made atomic.Int32
		s := &sharedAnswers{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			if r.Context().Err() != nil {
				t.Error("a request that ended ended the answer of others")
			}
			made.Add(1)
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Encoding", r.Header.Get("Accept-Encoding"))
			io.WriteString(w, "a 1\n")
		})}
		scrape := func(encoding string) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
			r.Header.Set("Accept-Encoding", encoding)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			want := "identity"
			if strings.HasPrefix(encoding, "gzip") && !strings.HasSuffix(encoding, "=0") {
				want = "gzip"
			}
			if w.Code != http.StatusOK || w.Body.String() != "a 1\n" || w.Header().Get("Content-Length") != "4" ||
				w.Header().Get("Content-Type") != "text/plain" || w.Header().Get("Content-Encoding") != want {
				t.Errorf("%d %v %q", w.Code, w.Header(), w.Body)
			}
		}
		var all sync.WaitGroup
		for i := range 48 {
			all.Go(func() { scrape([]string{"", "gzip", "gzip;q=0", "gzip, deflate"}[i%4]) })
		}
		all.Wait()
		if n := made.Load(); n != 2 {
			t.Errorf("%d answers were made", n)
		}
		scrape("")
		if made.Load() != 3 {
			t.Error("an old answer was sent")
		}
	})
}

// A client that filters gets all metrics, and so does a scrape that shares its answer.
func TestScrapesShareNoFilter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t, filled(well("orders")), "").metrics().(*sharedAnswers)
		inner := s.handler
		var made atomic.Int32
		s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			made.Add(1)
			time.Sleep(time.Second)
			inner.ServeHTTP(w, r)
		})
		var all sync.WaitGroup
		for _, query := range []string{"?name[]=go_goroutines", "", "?name[]=nothing&x=1", "?name%5B%5D=go_threads"} {
			all.Go(func() {
				w := httptest.NewRecorder()
				s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics"+query, http.NoBody))
				for _, name := range []string{"strongroom_build_info{", "strongroom_archive_overdue{", "\ngo_goroutines "} {
					if !strings.Contains(w.Body.String(), name) {
						t.Errorf("the answer to %q lacks %s", query, name)
					}
				}
			})
			synctest.Wait() // the first one decides the answer
		}
		all.Wait()
		if n := made.Load(); n != 1 {
			t.Errorf("%d answers were made", n)
		}
	})
}

// The metrics are compressed for clients that accept it.
func TestCompressedMetrics(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
	r.Header.Set("Accept-Encoding", "gzip")
	newServer(t, filled(well("orders")), "").metrics().ServeHTTP(w, r)
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil || !strings.Contains(string(b), "strongroom_build_info") {
		t.Errorf("%q, %v", b, err)
	}
}
