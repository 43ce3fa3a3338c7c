package cloud_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
)

// A peer that reads slowly, but always something within the timeout, is not too slow, however much is written at once.
func TestSlowReaderOfALargeWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		want := bytes.Repeat([]byte("0123456789"), 1000)
		got := make(chan []byte)
		go func() {
			var all []byte
			for piece := make([]byte, 1000); ; {
				time.Sleep(40 * time.Second)
				n, err := b.Read(piece)
				all = append(all, piece[:n]...)
				if err != nil || len(all) == len(want) {
					got <- all
					return
				}
			}
		}()
		n, err := cloud.NewIdleTimeoutConn(a, time.Minute).Write(want)
		if n != len(want) || err != nil {
			t.Errorf("%d bytes were written: %v", n, err)
			a.Close() // ends the reader
		}
		if all := <-got; !bytes.Equal(all, want) {
			t.Errorf("%d bytes arrived, and they are not those that were sent", len(all))
		}
	})
}

// Bodies arrive as they were sent, of every size around that of the pieces, and also below a limit.
func TestBodiesOfManySizes(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
	}))
	defer server.Close()
	bandwidth := cloud.NewBandwidth(func(time.Time) int64 { return 1 << 30 })
	for name, o := range map[string]*cloud.Options{"no limit": {Timeout: time.Minute}, "a limit": {Timeout: time.Minute, Bandwidth: bandwidth}} {
		tr := new(http.Transport)
		cloud.Tune(tr, o)
		defer tr.CloseIdleConnections()
		for _, size := range []int{0, 1, 32 << 10, 128<<10 - 1, 128 << 10, 128<<10 + 1, 1<<20 + 7} {
			want := make([]byte, size)
			for i := range want {
				want[i] = byte(i * 7 / 3)
			}
			// A reader of another type, as a log file is, has no WriteTo that would copy the bytes by itself.
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL, io.NewSectionReader(bytes.NewReader(want), 0, int64(size)))
			if err != nil {
				t.Fatal(err)
			}
			request.ContentLength = int64(size)
			answer, err := tr.RoundTrip(request)
			if err != nil {
				t.Fatalf("%s, %d bytes: %v", name, size, err)
			}
			got, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: of %d bytes, %d came back, or others: %v", name, size, len(got), err)
			}
		}
	}
}
