package archive

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

// A Finding is what Probe saw of one property of a store.
type Finding struct {
	Probe  string  `json:"probe"` // such as "create-only"
	Result Outcome `json:"result"`
	Detail string  `json:"detail"`           // what was seen
	Advice string  `json:"advice,omitempty"` // what to do about it
}

// Outcome is what a Finding comes to.
type Outcome string

// The outcomes.
const (
	Good   Outcome = "ok"
	Note   Outcome = "note" // archives work; something that rests on it does not
	Failed Outcome = "failed"
)

// Probe finds out by trying what a store can do, and calls report with each finding, in
// order. It makes about 1,100 small objects and one of 17 MiB below ProbePrefix and
// deletes them again, also those that an earlier probe left behind. Where the store locks
// what it puts, one tiny object is locked, and stays until its lock ends and another probe
// comes by. What the store does wrong is a finding; an error is returned only when ctx has ended.
func Probe(ctx context.Context, store Store, report func(Finding)) error {
	p := &probeRun{store: store, dir: ProbePrefix + strings.ToLower(rand.Text()[:12]) + "/"}
	for _, one := range p.trials() {
		f := one.try(ctx)
		if ctx.Err() != nil {
			_, err := p.cleanUp(context.WithoutCancel(ctx))
			return errors.Join(context.Cause(ctx), err)
		}
		f.Probe = one.name
		report(f)
		if one.stop && f.Result == Failed {
			break
		}
	}
	return nil
}

// A trial finds out one thing.
type probeTrial struct {
	name string
	try  func(context.Context) Finding
	stop bool // what comes after needs it
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
		{"clock", p.clock, false},
		{"delete", p.deletes, false},
	}
	if l, ok := p.store.(RetentionStore); ok {
		if _, locks := l.RenewLock(); locks {
			all = append(all, probeTrial{"object lock", func(ctx context.Context) Finding { return p.locks(ctx, l) }, false})
		}
	}
	return all
}

// probeRun tries things in a directory of its own.
type probeRun struct {
	store Store
	dir   string
	skew  time.Duration // of the provider's clock, ahead of ours
	timed bool          // skew is known
}

func good(format string, args ...any) Finding {
	return Finding{Result: Good, Detail: fmt.Sprintf(format, args...)}
}

func failed(advice, format string, args ...any) Finding {
	return Finding{Result: Failed, Detail: fmt.Sprintf(format, args...), Advice: advice}
}

// wentWrong is the finding of an error, which says itself what to do.
func wentWrong(err error) Finding { return failed("", "%v", err) }

func (p *probeRun) put(ctx context.Context, name string, content []byte) (PutResult, error) {
	return p.store.Put(ctx, p.dir+name, bytes.NewReader(content), sumsOf(content))
}

func (p *probeRun) get(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	r, err := p.store.Get(ctx, p.dir+name, offset, length)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func sumsOf(b []byte) Sums {
	s := newSummer()
	s.Write(b)
	return s.sums()
}

// text is content that differs from one name to the other.
func (p *probeRun) text(name string) []byte {
	return []byte("strongroom tries here what this store can do; this object may be deleted. " + p.dir + name + "\n")
}

func (p *probeRun) reach(ctx context.Context) Finding {
	for _, err := range p.store.List(ctx, "", "/", "") {
		if err != nil {
			return wentWrong(err)
		}
		break
	}
	return good("it answers and can be listed")
}

// write makes an object and takes the provider's time for it.
func (p *probeRun) write(ctx context.Context) Finding {
	before := time.Now()
	if _, err := p.put(ctx, "first", p.text("first")); err != nil {
		return wentWrong(err)
	}
	after := time.Now()
	if _, err := p.put(ctx, probeContent, p.text(probeContent)); err != nil {
		return wentWrong(err)
	}
	o, err := p.store.Stat(ctx, p.dir+"first")
	if err != nil {
		return wentWrong(err)
	}
	if o.Modified.IsZero() {
		return good("an object was made")
	}
	p.timed = true
	switch { // within the request, and the second to which providers round, there is no skew
	case o.Modified.Before(before.Add(-time.Second)):
		p.skew = o.Modified.Sub(before)
	case o.Modified.After(after.Add(time.Second)):
		p.skew = o.Modified.Sub(after)
	}
	return good("an object was made in %d ms", after.Sub(before).Milliseconds())
}

// clock compares the clocks, by the object that write made.
func (p *probeRun) clock(context.Context) Finding {
	switch {
	case !p.timed:
		return Finding{Result: Note, Detail: "the store does not tell when an object was made"}
	case p.skew.Abs() > maxSkew:
		ahead := "behind"
		if p.skew > 0 {
			ahead = "ahead of"
		}
		return Finding{
			Result: Note, Detail: fmt.Sprintf("the provider's clock is %s %s this host's", p.skew.Abs().Round(time.Second), ahead),
			Advice: "set this host's clock (NTP): snapshots carry its time",
		}
	}
	return good("this host's clock and the provider's differ by less than %s", max(p.skew.Abs().Round(time.Second), time.Second)+time.Second)
}

func (p *probeRun) checksums(ctx context.Context) Finding {
	const advice = "nothing protects what is sent; use a service that checks, or accept this by name in the URL (checksum=none)"
	err := p.putWrong(ctx, p.dir+"wrong", p.text("wrong"))
	if err == nil && waives(p.store, Checksums) {
		return Finding{Result: Note, Detail: "not checked by the service, as was accepted in the URL", Advice: "strongroom verify --read-data now and then"}
	}
	switch _, there := p.store.Stat(ctx, p.dir+"wrong"); {
	case err == nil:
		return failed(advice, "an object was made although its checksum was not the one that was sent along")
	case there == nil:
		return failed(advice, "an object with the wrong checksum was refused, and is there all the same")
	case !errors.Is(there, fs.ErrNotExist):
		return wentWrong(there)
	case !errors.Is(err, ErrMismatch):
		return wentWrong(err)
	}
	return good("an object that is not what was promised is refused")
}

// putWrong puts content with the checksums of other content, past what the adapter looks at
// itself where there is a service to look.
func (p *probeRun) putWrong(ctx context.Context, key string, content []byte) error {
	if service, ok := p.store.(FaultProbe); ok {
		return service.PutWithWrongChecksum(ctx, key, content)
	}
	wrong := sumsOf(content)
	wrong.SHA256[0]++
	wrong.CRC32C++
	_, err := p.store.Put(ctx, key, bytes.NewReader(content), wrong)
	return err
}

func (p *probeRun) echo(ctx context.Context) Finding {
	o, err := p.store.Stat(ctx, p.dir+"first")
	switch {
	case err != nil:
		return wentWrong(err)
	case o.CRC32C != nil && *o.CRC32C != sumsOf(p.text("first")).CRC32C:
		return failed("do not rely on this store", "it tells another CRC-32C than that of what it was given")
	case o.CRC32C != nil:
		return good("each object's CRC-32C can be asked for (verify --checksums)")
	case o.MD5 != "":
		return good("each object's MD5 can be asked for (verify --checksums)")
	}
	return Finding{Result: Note, Detail: "the store tells no checksums", Advice: "strongroom verify --read-data looks at every byte instead"}
}

func (p *probeRun) readAfterWrite(ctx context.Context) Finding {
	const advice = "the store does not show at once what it has taken; strongroom needs one that does"
	content := p.text("fresh")
	if _, err := p.put(ctx, "fresh", content); err != nil {
		return wentWrong(err)
	}
	if got, err := p.get(ctx, "fresh", 0, -1); err != nil || !bytes.Equal(got, content) {
		return failed(advice, "what was just written reads as %d bytes of %d (%v)", len(got), len(content), err)
	}
	for o, err := range p.store.List(ctx, p.dir+"fresh", "", "") {
		if err != nil {
			return wentWrong(err)
		}
		if o.Key == p.dir+"fresh" && o.Size == int64(len(content)) {
			return good("what was just written is read and listed")
		}
	}
	return failed(advice, "what was just written is not listed")
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
			return wentWrong(err)
		}
		if !bytes.Equal(got, content[r[0]:end]) {
			return failed("bundles and broken-off downloads need ranges; use another service", "bytes %d to %d read as something else", r[0], end)
		}
	}
	return good("parts of an object can be read")
}
