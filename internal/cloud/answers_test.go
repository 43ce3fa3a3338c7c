package cloud

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/store"
)

// The first row that covers an answer counts: rows for one text stand before the row of their code.
func TestInterpret(t *testing.T) {
	t.Parallel()
	rows := []Meaning{
		{Code: "KMS.*", Kind: Blocked},
		{Code: "AccessDenied", Text: "kms:", Kind: Denied, Advice: "grant"},
		{Status: 501, Op: "putting", Kind: Misconfigured, Advice: "put"},
		{Status: 501, Kind: Misconfigured},
		{Code: "AccessDenied", Kind: Denied},
	}
	for _, c := range []struct {
		answer Answer
		op     string
		row    int
	}{
		{Answer{400, "kms.disabledException", ""}, "", 0},
		{Answer{400, "KMS", ""}, "", -1},
		{Answer{403, "AccessDenied", "to perform: KMS:Decrypt"}, "", 1},
		{Answer{501, "", ""}, "putting", 2},
		{Answer{501, "", ""}, "", 3},
		{Answer{501, "", ""}, "listing", 3},
		{Answer{403, "AccessDenied", "no"}, "", 4},
		{Answer{503, "", ""}, "", -1},
	} {
		if m, i := Interpret(rows, &c.answer, c.op); i != c.row || i < 0 && m.Kind != ClassifyStatus(c.answer.Status) {
			t.Errorf("%+v: row %d, %+v; want row %d", c.answer, i, m, c.row)
		}
	}
}

// A service that fails by itself is tried again later. An answer that is not the service's may come from a proxy.
func TestInterpretOfAFault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer Answer
		want   string
	}{
		{Answer{500, "InternalError", ""}, laterAdvice},
		{Answer{504, "internal", ""}, laterAdvice},
		{Answer{502, "", "<html>"}, ""},
		{Answer{400, "InvalidRequest", ""}, ""},
		{Answer{503, "SlowDown", ""}, ""}, // its kind has an advice
	} {
		if m, _ := Interpret(nil, &c.answer, ""); m.Advice != c.want {
			t.Errorf("%+v: %q, want %q", c.answer, m.Advice, c.want)
		}
	}
}

// What a caller decides by: whether the same call may succeed later, or something protects the object.
func TestKindsAsErrors(t *testing.T) {
	t.Parallel()
	for kind, want := range map[Kind]error{
		Protected: store.ErrProtected, Frozen: store.ErrFrozen, Throttled: store.ErrTransient, Broken: store.ErrTransient,
		TimedOut: store.ErrTransient, Unreachable: store.ErrTransient, Busy: store.ErrTransient, Blocked: nil, Denied: nil,
	} {
		err := error(&Error{Op: "getting", Kind: kind, Err: errors.New("it is so")})
		for _, target := range []error{store.ErrProtected, store.ErrFrozen, store.ErrTransient} {
			if got := errors.Is(err, target); got != (target == want) {
				t.Errorf("%s: errors.Is %v is %v", kind.Word(), target, got)
			}
		}
	}
}

// A proxy that refuses is named. Otherwise an operator would check the service.
func TestProxyRefuses(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	t.Cleanup(proxy.Close)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for address, want := range map[string]string{proxy.URL: "407 Proxy Authentication Required", closed.URL: "refused"} {
		at, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		tr := &http.Transport{Proxy: http.ProxyURL(at)}
		o := Options{}.WithDefaults()
		Tune(tr, &o)
		_, err = (&http.Client{Transport: tr}).Get("https://service.invalid/")
		failed := (&Dialect{}).Wrap("s3://b", "getting", "k", err)
		if k := (&Dialect{}).KindOf(failed); k != Unreachable || !strings.Contains(failed.Error(), want) ||
			!strings.Contains(failed.Error(), "HTTPS_PROXY") || !strings.Contains(failed.Error(), at.Host) {
			t.Errorf("%v (%s)", failed, k.Word())
		}
	}
}

// Content and session tokens that cross a network in clear are warned of, once. Requests to this host cross none.
func TestWarnOfClearText(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	for _, e := range []string{
		"", "https://s3.example", "http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost:9000", "http://minio.localhost",
	} {
		if WarnOfClearText(log, e, "s3://b"); out.Len() > 0 {
			t.Fatalf("%s: %s", e, out.String())
		}
	}
	for range 2 {
		WarnOfClearText(log, "http://clear.example:9000/path", "s3://b")
	}
	if s := out.String(); strings.Count(s, "in clear") != 1 || !strings.Contains(s, "clear.example:9000") || !strings.Contains(s, "s3://b") {
		t.Error(s)
	}
}
