package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/source/jetest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// inBucket is an archive of the configuration with a destination of any kind.
func inBucket(name, source, url, more string) string {
	return "  - name: " + name + "\n    source: {dir: " + source + "}\n    destination: " + url + "\n" + more
}

// metric is a number of an archive's, or -1.
func (s *served) metric(name, labels string) float64 {
	s.t.Helper()
	_, body := s.get("/metrics")
	for line := range strings.Lines(body) {
		rest, ok := strings.CutPrefix(line, "strongroom_archive_"+name+"{"+labels+"} ")
		if ok {
			var v float64
			fmt.Sscan(rest, &v)
			return v
		}
	}
	return -1
}

// MinIO is killed, in a soak for a minute: each state on the way is right in the API, the
// metrics, the page and the checks, and all is well again by itself.
func TestServiceOutlivesItsServer(t *testing.T) {
	t.Parallel()
	whole(t)
	outage := time.Duration(0)
	if soaktest.IsFull(t) {
		outage = time.Minute
	}
	soaktest.Rounds(t, 0, 1, func(t *testing.T, _ uint64) { surviveOutage(t, outage) })
}

func surviveOutage(t *testing.T, outage time.Duration) {
	m := storetest.NewMinIO(t)
	dir := t.TempDir()
	logDir(t, dir, 0, 3, 50_000)
	s := serve(t, "archives:\n"+inBucket("orders", dir, m.URL, "    schedule: \"@every 1s\"\n"))
	page := func(word string) bool {
		_, body := s.get("/")
		return strings.Contains(body, word)
	}
	s.until("the first snapshot", func() bool { return s.archive("orders").State == "ok" })
	if code, body := s.get("/readyz"); code != http.StatusOK {
		t.Errorf("/readyz: %d %s", code, body)
	}
	s.until("a page and metrics that show it", func() bool {
		return page("Healthy") && s.metric("failures_in_row", `archive="orders"`) == 0
	})

	m.Stop()
	down := time.Now()
	logDir(t, dir, 3, 5, 50_000)
	s.until("a failure", func() bool { return s.archive("orders").State == "failing" })
	a := s.archive("orders")
	if a.LastFailure == nil || !strings.Contains(a.LastFailure.Error, "refused") || a.RecoverableThrough == nil {
		t.Errorf("failing: %+v", a)
	}
	if code, body := s.get("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "orders: the last run failed") {
		t.Errorf("/readyz: %d %s", code, body)
	}
	if code, _ := s.get("/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d", code)
	}
	s.until("a page and metrics that show it", func() bool {
		return page("Failing") && s.metric("failures_in_row", `archive="orders"`) >= 1 && s.metric("provider_errors_total", `archive="orders",reason="unreachable"`) >= 1
	})
	s.until("what waits", func() bool { return s.metric("behind_files", `archive="orders"`) >= 2 })
	s.until("the end of the outage", func() bool { return time.Since(down) > outage })
	s.until("failures in a row", func() bool { a := s.archive("orders"); return a.State == "failing" && a.FailuresInRow >= 3 })

	m.Start()
	s.until("its recovery", func() bool { return s.archive("orders").State == "ok" })
	if code, body := s.get("/readyz"); code != http.StatusOK {
		t.Errorf("/readyz: %d %s", code, body)
	}
	s.until("nothing waits", func() bool { return s.metric("behind_files", `archive="orders"`) == 0 })
	s.until("a page and metrics that show it", func() bool {
		return page("Healthy") && s.metric("failures_in_row", `archive="orders"`) == 0
	})
	if code := s.stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	to := filepath.Join(t.TempDir(), "restored")
	succeed(t, "verify", "--read-data", m.URL)
	succeed(t, "restore", m.URL, "--to", to)
	sameDir(t, to, dir)
}

// SIGTERM in the middle of a large upload: the service ends in time, and leaves neither a
// snapshot nor half an object behind. The next one does it all.
func TestServiceStopsInTheMiddle(t *testing.T) {
	t.Parallel()
	whole(t)
	m := storetest.NewMinIO(t)
	dir := t.TempDir()
	logDir(t, dir, 0, 2, 40<<20)
	archives := inBucket("orders", dir, m.URL, yearly)
	s := serve(t, "archives:\n"+archives+"    bandwidth: 8MiB/s\n")
	uploads := func() (keys []string) {
		out, err := m.Client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &m.Bucket})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range out.Uploads {
			keys = append(keys, *u.Key)
		}
		return keys
	}
	requests := func(kind string) float64 {
		return s.metric("provider_requests_total", `archive="orders",operation="`+kind+`"`)
	}
	s.until("the beginning of an upload in parts", func() bool { return requests("post") >= 1 })
	before := requests("put")
	s.until("parts under way", func() bool { return requests("put") >= before+2 })
	if !s.archive("orders").Running {
		t.Fatalf("it does not run:\n%s", s.log())
	}
	if code := s.stop(); code != 0 {
		t.Errorf("it ended with %d:\n%s", code, s.log())
	}
	list, err := m.Client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &m.Bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list.Contents {
		if strings.Contains(*o.Key, "/manifests/") || *o.Size > 0 && *o.Size < 38<<20 && strings.Contains(*o.Key, "/data/") {
			t.Errorf("it left %s of %d bytes", *o.Key, *o.Size)
		}
	}
	if left := uploads(); len(left) > 0 {
		t.Errorf("it left the uploads %v", left)
	}
	again := serve(t, "archives:\n"+archives)
	again.wait("a snapshot was made", "orders")
	succeed(t, "verify", "--read-data", m.URL)
}

// One destination takes connections and never answers. All others keep their schedule, also
// when it has all of the transfers that archives have together.
func TestServiceWithOneThatHangs(t *testing.T) {
	t.Parallel()
	whole(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close() // not before the end
		}
	}()
	const others = 23
	dir, to := t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 3, 1000)
	var archives strings.Builder
	archives.WriteString("archives:\n" + inBucket("hangs", dir, "s3://backups/x?region=us-east-1&use_path_style=true&endpoint=http://"+l.Addr().String(), "    schedule: \"@every 2s\"\n"))
	for i := range others {
		name := fmt.Sprintf("a%02d", i)
		archives.WriteString(inDir(name, dir, filepath.Join(to, name), "    schedule: \"@every 2s\"\n"))
	}
	s := serve(t, archives.String(), "AWS_ACCESS_KEY_ID=user", "AWS_SECRET_ACCESS_KEY=secret") // without any it would fail before it hangs
	s.until("all first snapshots", func() bool { return len(s.logged("a snapshot was made", "")) == others })
	for i := range others {
		name := fmt.Sprintf("a%02d", i)
		s.until("three more runs of "+name, func() bool { return len(s.logged("nothing new", name)) >= 3 })
		if a := s.archive(name); a.State != "ok" && a.State != "running" {
			t.Errorf("%+v", a)
		}
	}
	if a := s.archive("hangs"); !a.Running {
		t.Errorf("the one that hangs: %+v", a)
	} else if a.Behind != nil {
		t.Errorf("what waits for the one that hangs cannot be known, and is reported: %+v", *a.Behind)
	}
	if code, body := s.get("/archives/hangs"); code != http.StatusOK || !strings.Contains(body, "did not answer in time") {
		t.Errorf("the page of the one that hangs: %d %s", code, body)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
}

// A real JE writes; each file is in a snapshot, as a closed one, soon after JE has begun the
// next, unless JE's cleaner deletes it first.
func TestServiceArchivesAsFilesClose(t *testing.T) {
	t.Parallel()
	whole(t)
	m := storetest.NewMinIO(t)
	db := filepath.Join(t.TempDir(), "db")
	jetest.Write(t, db, 2000, 1)
	s := serve(t, "archives:\n"+inBucket("orders", db, m.URL, "    schedule: \"@close\"\n"))
	s.until("the first snapshot", func() bool { return s.archive("orders").State == "ok" })

	churn := jetest.StartChurn(t, db, 1, 1500)
	closed := map[string]time.Time{} // when the next file was first seen
	archived := map[string]time.Time{}
	gone := map[string]bool{}
	missing := func() (names []string) { // closed, there, and in no snapshot
		for base := range closed {
			if archived[base].IsZero() && !gone[base] {
				names = append(names, base)
			}
		}
		return names
	}
	var looked int64
	const enough = 5
	for end := time.Now().Add(patience); len(closed) < enough || len(missing()) > 0; {
		if time.Now().After(end) {
			t.Fatalf("%d files closed, and these are not archived: %v", len(closed), missing())
		}
		now := time.Now()
		names, err := filepath.Glob(filepath.Join(db, "*.jdb"))
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range names {
			base := filepath.Base(name)
			if _, seen := closed[base]; !seen && i < len(names)-1 {
				closed[base] = now
			}
		}
		for base := range closed {
			gone[base] = gone[base] || !slices.Contains(names, filepath.Join(db, base))
		}
		looked = s.noteClosed(looked, archived)
		time.Sleep(100 * time.Millisecond)
	}
	churn.Stop()
	var longest time.Duration
	for base, at := range archived {
		if since, ok := closed[base]; ok {
			longest = max(longest, at.Sub(since))
		}
	}
	t.Logf("%d files closed; the longest wait was %v", len(closed), longest)
	if code := s.stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	to := filepath.Join(t.TempDir(), "restored")
	succeed(t, "restore", m.URL, "--to", to)
	if _, err := jetest.Open(t, to); err != nil {
		t.Errorf("JE does not open what is restored: %v", err)
	}
}

// noteClosed records when files were first seen closed in a snapshot newer than the last checked
// one, and returns the newest.
func (s *served) noteClosed(after int64, archived map[string]time.Time) int64 {
	s.t.Helper()
	var list struct {
		Snapshots []struct {
			Sequence int64 `json:"sequence"`
		} `json:"snapshots"`
	}
	code, body := s.get("/api/v1/archives/orders/snapshots")
	if err := json.Unmarshal([]byte(body), &list); err != nil || code != http.StatusOK {
		s.t.Fatalf("%d, %v: %s", code, err, body)
	}
	for _, one := range list.Snapshots {
		if one.Sequence <= after {
			continue
		}
		var snapshot struct {
			Files []struct{ Name, State string } `json:"list"`
		}
		code, body := s.get(fmt.Sprintf("/api/v1/archives/orders/snapshots/%d", one.Sequence))
		if err := json.Unmarshal([]byte(body), &snapshot); err != nil || code != http.StatusOK {
			s.t.Fatalf("%d, %v: %s", code, err, body)
		}
		for _, f := range snapshot.Files {
			if _, seen := archived[f.Name]; !seen && f.State == "closed" {
				archived[f.Name] = time.Now()
			}
		}
		after = one.Sequence
	}
	return after
}

// A service with nothing to do takes little memory beyond that of the program itself, and
// next to no processor time, with a database in each of five directories watched and a page
// that is read now and then.
func TestServiceIdles(t *testing.T) {
	whole(t)
	to := t.TempDir()
	var archives strings.Builder
	archives.WriteString("archives:\n")
	for i := range 5 {
		dir := filepath.Join(to, fmt.Sprintf("db%d", i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		logDir(t, dir, 0, 400, 100)
		archives.WriteString(inDir(fmt.Sprintf("a%d", i), dir, filepath.Join(to, fmt.Sprintf("archive%d", i)), "    schedule: \"@close\"\n"))
	}
	s := serve(t, archives.String())
	s.until("all first snapshots", func() bool { return len(s.logged("a snapshot was made", "")) == 5 })
	forgetPeak(t)
	floor := finish(t, program(t, "version")).peak
	for range 10 {
		s.get("/")
		s.get("/metrics")
	}
	const idle = 5 * time.Second
	before, start := s.processorTime(), time.Now()
	s.until("the end of idling", func() bool { return time.Since(start) > idle })
	spent := s.processorTime() - before
	resident := s.resident()
	t.Logf("idle: %v of processor time in %v; %d MiB resident, %d MiB of it the program by itself",
		spent, idle, resident>>20, floor>>20)
	if resident-floor > 64<<20 {
		t.Errorf("%d MiB resident beyond the %d MiB of the program by itself", (resident-floor)>>20, floor>>20)
	}
	if spent > idle/40 {
		t.Errorf("%v of processor time in %v", spent, idle)
	}
}

// processorTime is the processor time of the service so far.
func (s *served) processorTime() time.Duration {
	s.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest) // from the third of proc(5) on
	var user, system int64
	fmt.Sscan(fields[11], &user)
	fmt.Sscan(fields[12], &system)
	return time.Duration(user+system) * 10 * time.Millisecond // a tick is 10 ms
}

// resident is how much memory the service has, in bytes.
func (s *served) resident() int64 {
	s.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			var kib int64
			fmt.Sscan(rest, &kib)
			return kib << 10
		}
	}
	s.t.Fatal("no VmRSS")
	return 0
}
