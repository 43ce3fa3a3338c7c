package storecheck

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// MaxSkew is the clock skew between this host and the provider above which commands warn (see "Fine print" in
// format.md).
const MaxSkew = 5 * time.Minute

// cleanUpLimit is how long the deletion of the probe's objects may take after the caller's context has ended. A later
// probe deletes what remains.
const cleanUpLimit = 8 * time.Second

// A Finding is the result of testing one property of a store.
type Finding struct {
	Probe  string  `json:"probe"` // such as "create-only"
	Result Outcome `json:"result"`
	Detail string  `json:"detail"`           // the observation
	Advice string  `json:"advice,omitempty"` // the remedy

	// Transient means that the test could not be completed for a reason that may pass. It shows no fault of the store.
	Transient bool `json:"transient,omitempty"`
}

// Outcome is the rating of a Finding.
type Outcome string

// The outcomes.
const (
	Good   Outcome = "ok"
	Note   Outcome = "note" // archives work, but a feature that depends on the property does not
	Failed Outcome = "failed"
)

// Probe tests a store's properties and calls report with each finding, in order. It creates about 1,100 small
// objects and one of 17 MiB below ProbePrefix, and 64 more in a store.Unproven. It deletes them and those of earlier
// probes. If the store locks objects, one tiny object is locked: it remains until its lock ends and a later probe
// deletes it. Faults of the store are findings; Probe returns an error only if ctx has ended.
func Probe(ctx context.Context, bucket store.Store, report func(Finding)) error {
	p := newProbeRun(bucket)
	return p.run(ctx, p.trials(), report)
}

// Quick is Probe with about 30 objects in place of 1,100. It reports the trials of listings, which need the others, as
// notes: it does not show that a store is fit for an archive, only that this host can use one that is.
func Quick(ctx context.Context, bucket store.Store, report func(Finding)) error {
	p := newProbeRun(bucket)
	all := p.trials()
	for i := range all {
		if all[i].name == "paging" || all[i].name == "order" {
			all[i].try = func(context.Context) Finding {
				return Finding{Result: Note, Detail: fmt.Sprintf("not tested: it takes %d objects", probeMany)}
			}
		}
	}
	return p.run(ctx, all, report)
}

// run runs trials in their order, up to the first that fails and that the others need.
func (p *probeRun) run(ctx context.Context, trials []probeTrial, report func(Finding)) error {
	for _, one := range trials {
		f := one.try(ctx)
		if ctx.Err() != nil {
			own, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpLimit)
			defer cancel()
			_, err := p.cleanUp(own)
			return errors.Join(context.Cause(ctx), err)
		}
		f.Probe = one.name
		report(f)
		if one.stop && f.Result != Good {
			break
		}
	}
	return nil
}

// A probeTrial tests one property.
type probeTrial struct {
	name string
	try  func(context.Context) Finding
	stop bool // the later trials need it to pass
}

func newProbeRun(bucket store.Store) *probeRun {
	return &probeRun{bucket: bucket, dir: store.ProbePrefix + strings.ToLower(rand.Text()[:12]) + "/"}
}

func (p *probeRun) trials() []probeTrial {
	all := []probeTrial{
		{"reach", p.reach, true},
		{"write", p.write, true},
		{"create-only", p.createOnly, false},
		{"checksums", p.checksums, false},
		{"checksum echo", p.echo, false},
		{"read after write", p.readAfterWrite, false},
		{"ranges", p.ranges, false},
		{"large objects", p.large, false},
		{"paging", p.paging, false},
		{"order", p.order, false},
		{"letter case", p.letterCase, false},
		{"conditional delete", p.conditionalDelete, false},
		{"clock", p.clock, false},
		{"delete", p.deletes, false},
	}
	if l, ok := p.bucket.(store.RetentionStore); ok {
		if _, locks := l.RenewLock(); locks {
			all = append(all, probeTrial{"object lock", func(ctx context.Context) Finding { return p.locks(ctx, l) }, false})
		}
	}
	return all
}

// probeRun is one call of Probe, with its own directory.
type probeRun struct {
	bucket store.Store
	dir    string
	skew   time.Duration // of the provider's clock; positive if it is ahead of this host's
	timed  bool          // skew is known
	many   bool          // the objects of paging exist
}

// Pass returns the finding of a property that the store has.
func Pass(format string, args ...any) Finding {
	return Finding{Result: Good, Detail: fmt.Sprintf(format, args...)}
}

// Fail returns the finding of a fault, with a remedy.
func Fail(advice, format string, args ...any) Finding {
	return Finding{Result: Failed, Detail: fmt.Sprintf(format, args...), Advice: advice}
}

// WentWrong returns the finding of an error, whose text includes the remedy.
func WentWrong(err error) Finding {
	f := Fail("", "%v", err)
	f.Transient = errors.Is(err, store.ErrTransient)
	return f
}

func (p *probeRun) put(ctx context.Context, name string, content []byte) (store.PutResult, error) {
	return p.bucket.Put(ctx, p.dir+name, bytes.NewReader(content), sumsOf(content))
}

// get reads a range. It reads again if the connection broke, as archives do.
func (p *probeRun) get(ctx context.Context, name string, offset, length int64) (b []byte, err error) {
	for range probeReads {
		if b, err = p.getOnce(ctx, name, offset, length); !errors.Is(err, store.ErrTransient) || ctx.Err() != nil {
			break
		}
	}
	return b, err
}

func (p *probeRun) getOnce(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	r, err := p.bucket.Get(ctx, p.dir+name, offset, length)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func sumsOf(b []byte) store.Sums {
	s := digest.New()
	s.Write(b)
	return s.Sums()
}

// text returns content that differs for each name.
func (p *probeRun) text(name string) []byte {
	return []byte("strongroom tests here what this store can do; this object may be deleted. " + p.dir + name + "\n")
}

func (p *probeRun) reach(ctx context.Context) Finding {
	for _, err := range p.bucket.List(ctx, "", "/", "") {
		if err != nil {
			return WentWrong(err)
		}
		break
	}
	return Pass("the store answers and can be listed")
}

// write creates an object and compares the provider's time of it with this host's.
func (p *probeRun) write(ctx context.Context) Finding {
	if err := p.findObstacle(ctx); err != nil {
		return Finding{
			Result: Note, Detail: fmt.Sprintf("what this store guarantees was not tested: %v", err),
			Advice: "backups do not need " + store.ProbePrefix + "; make it a directory for the user that runs strongroom, and check again",
		}
	}
	before := time.Now()
	if _, err := p.put(ctx, "first", p.text("first")); err != nil {
		return WentWrong(err)
	}
	after := time.Now()
	if _, err := p.put(ctx, store.ProbeContent, p.text(store.ProbeContent)); err != nil {
		return WentWrong(err)
	}
	o, err := p.bucket.Stat(ctx, p.dir+"first")
	if err != nil {
		return WentWrong(err)
	}
	if o.Modified.IsZero() {
		return Pass("an object was made")
	}
	p.timed = true
	switch { // a time during the request, give or take the second to which providers round, is no skew
	case o.Modified.Before(before.Add(-time.Second)):
		p.skew = o.Modified.Sub(before)
	case o.Modified.After(after.Add(time.Second)):
		p.skew = o.Modified.Sub(after)
	}
	return Pass("an object was made in %d ms", after.Sub(before).Milliseconds())
}

// findObstacle returns why nothing can be created below ProbePrefix, if that is no hindrance to an archive: content can
// be created beside it.
func (p *probeRun) findObstacle(ctx context.Context) error {
	tester, ok := p.bucket.(store.CreationTester)
	if !ok || tester.TestCreation(ctx, slices.Values([]string{manifest.DataPrefix + "0"})) != nil {
		return nil // the trials return the error
	}
	return tester.TestCreation(ctx, slices.Values([]string{p.dir + "first"}))
}

// clock reports the clock skew that write measured.
func (p *probeRun) clock(context.Context) Finding {
	switch {
	case !p.timed:
		return Finding{Result: Note, Detail: "the store does not report when an object was made"}
	case p.skew.Abs() > MaxSkew:
		ahead := "behind"
		if p.skew > 0 {
			ahead = "ahead of"
		}
		return Finding{
			Result: Note, Detail: fmt.Sprintf("the provider's clock is %s %s this host's", p.skew.Abs().Round(time.Second), ahead),
			Advice: "set this host's clock (NTP): snapshots carry its time",
		}
	}
	return Pass("this host's clock and the provider's differ by less than %s", max(p.skew.Abs().Round(time.Second), time.Second)+time.Second)
}

func (p *probeRun) checksums(ctx context.Context) Finding {
	advice := p.orAccept("nothing protects objects in transfer; use a service that checks checksums", "checksum=none")
	err := p.putWrong(ctx, p.dir+"wrong", p.text("wrong"))
	if err == nil && store.Waives(p.bucket, store.Checksums) {
		return Finding{
			Result: Note, Detail: "the service does not check checksums, as accepted in the URL",
			Advice: "run strongroom verify --read-data regularly",
		}
	}
	switch _, there := p.bucket.Stat(ctx, p.dir+"wrong"); {
	case err == nil:
		return Fail(advice, "an object with a wrong checksum was accepted")
	case there == nil:
		return Fail(advice, "an object with a wrong checksum was refused, but exists")
	case !errors.Is(there, fs.ErrNotExist):
		return WentWrong(there)
	case !errors.Is(err, store.ErrMismatch):
		return WentWrong(err)
	}
	return Pass("an object with a wrong checksum is refused")
}

// putWrong puts content with the checksums of other content. If there is a service that can refuse it, the
// adapter's own check is bypassed.
func (p *probeRun) putWrong(ctx context.Context, key string, content []byte) error {
	if service, ok := p.bucket.(store.FaultProbe); ok {
		return service.PutWithWrongChecksum(ctx, key, content)
	}
	wrong := sumsOf(content)
	wrong.SHA256[0]++
	wrong.CRC32C++
	_, err := p.bucket.Put(ctx, key, bytes.NewReader(content), wrong)
	return err
}

func (p *probeRun) echo(ctx context.Context) Finding {
	o, err := p.bucket.Stat(ctx, p.dir+"first")
	switch {
	case err != nil:
		return WentWrong(err)
	case o.CRC32C != nil && *o.CRC32C != sumsOf(p.text("first")).CRC32C:
		return Fail("do not use this store", "the store returns a wrong CRC-32C for an object")
	case o.CRC32C != nil:
		return Pass("the store returns each object's CRC-32C (verify --checksums)")
	case o.MD5 != "":
		return Pass("the store returns each object's MD5 (verify --checksums)")
	}
	return Finding{
		Result: Note, Detail: "the store returns no checksums",
		Advice: "strongroom verify --read-data checks every byte instead",
	}
}

func (p *probeRun) readAfterWrite(ctx context.Context) Finding {
	const advice = "the store does not show a new object at once; strongroom needs a store that does"
	content := p.text("fresh")
	if _, err := p.put(ctx, "fresh", content); err != nil {
		return WentWrong(err)
	}
	switch got, err := p.get(ctx, "fresh", 0, -1); {
	case errors.Is(err, fs.ErrNotExist):
		return Fail(advice, "a new object cannot be read (%v)", err)
	case err != nil:
		return WentWrong(err)
	case !bytes.Equal(got, content):
		return Fail(advice, "a new object reads back as other content, of %d bytes instead of %d", len(got), len(content))
	}
	for o, err := range p.bucket.List(ctx, p.dir+"fresh", "", "") {
		if err != nil {
			return WentWrong(err)
		}
		if o.Key == p.dir+"fresh" && o.Size == int64(len(content)) {
			return Pass("a new object can be read and listed at once")
		}
	}
	return Fail(advice, "a new object is not listed")
}

func (p *probeRun) ranges(ctx context.Context) Finding {
	content := p.text("first")
	for _, r := range [][2]int64{{0, 10}, {17, 23}, {int64(len(content)) - 5, -1}} {
		end := r[0] + r[1]
		if r[1] < 0 {
			end = int64(len(content))
		}
		got, err := p.get(ctx, "first", r[0], r[1])
		if err != nil {
			return WentWrong(err)
		}
		if !bytes.Equal(got, content[r[0]:end]) {
			return Fail("bundles and interrupted downloads need ranges; use another service",
				"bytes %d to %d read back with other content", r[0], end)
		}
	}
	return Pass("parts of an object can be read")
}
