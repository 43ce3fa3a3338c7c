// Package notify sends a notification when the state of an archive changes, and pings a heartbeat monitor after
// each successful run. It does not depend on the archive package: callers pass plain values. One Notifier serves
// one archive.
//
//	n, err := notify.New(targets, notify.Options{Archive: "orders", Log: log})
//	n.Restore(kept)          // the result of Export before the last stop, if it was saved
//	go n.Run(ctx)            // delivers until ctx ends
//	n.Update(notify.Event{State: notify.Failing, At: now, Detail: "the bucket is away"})
//	n.Succeeded()            // after each successful run
//
// # Targets
//
// A target is one URL. Its scheme gives its kind:
//
//   - https://, http://: a heartbeat, such as one of healthchecks.io. The unchanged URL is requested with GET after
//     each successful run, and never otherwise. The monitor raises an alarm when pings stop.
//   - webhook+https://, webhook+http://: a POST with JSON when the state changes; Payload lists the fields.
//   - any other: a message when the state changes, sent by the shoutrrr service of that scheme:
//     smtp://, slack://, telegram://, discord://, teams://, ntfy://, gotify:// and others.
//     https://shoutrrr.nickfedor.com describes their URLs.
//
// Any status of 2xx is a success. A redirect is followed only to the same scheme and host
// and only with the same method; shoutrrr's services keep their own rules.
//
// # What is sent
//
// Archives with the same Targets share their messages: if several of them have the same state for the same reason, a
// target receives one message that lists them. It waits ten seconds for the archives that have it, too; each further
// message for that reason waits longer, up to 16 minutes.
//
// Notifier records the last delivered state of each target; it begins as OK. A different state is sent once, and
// retried until delivered: after 1 s, doubling to 10 minutes, for 24 hours. Only the newest state is sent: states
// that passed while a target was unreachable are dropped. A slow or broken target delays neither the caller nor
// another target.
//
// An attempt that was cut off may have been delivered, so it is sent again: a target may receive a state twice, but
// never misses one for that reason.
//
// # Secrets
//
// Most targets are secrets: anyone with the URL can post there. No error and no log line shows more of a target
// than redact.Target does.
package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/strongroom-dev/strongroom/internal/redact"
)

// State is an archive's condition. If several apply, the caller passes the worst.
type State string

// The states, from good to bad.
const (
	OK      State = "ok"
	Failing State = "failing" // the last run failed, or a verify, drill or prune failed several times in a row
	Overdue State = "overdue" // no run has succeeded by its deadline
	Damaged State = "damaged" // archived data is damaged or missing
)

// valid reports whether s is one of the states.
func (s State) valid() bool {
	return s == OK || s == Failing || s == Overdue || s == Damaged
}

// Event is the state of the archive at one time.
type Event struct {
	State State
	At    time.Time // when the state began
	// Detail is one or a few lines of text, such as the error. It is sent to every target, so it must not contain
	// credentials.
	Detail string
	// Recoverable is the time up to which a restore is possible; zero if that is unknown or nothing can be
	// restored.
	Recoverable time.Time
	// Cause is equal for events of several archives that have the same reason, such as one unreachable provider. It
	// is not shown. See Options.Targets.
	Cause string
}

// Options configure a Notifier.
type Options struct {
	Archive string       // the archive's name in messages
	Version string       // the program's version for the User-Agent; may be empty
	Log     *slog.Logger // nil selects slog.Default()

	// Targets combines the messages of all archives with the same Targets: those for one target, State and Cause are
	// sent as one. Nil disables that.
	Targets *Targets

	// Transport carries heartbeats and webhooks. Nil selects one that keeps no connections and uses the
	// environment's proxy.
	Transport http.RoundTripper
}

// Notifier delivers the states of one archive to its targets. Its methods are safe for concurrent use.
type Notifier struct {
	deliverers []*deliverer
	states     map[string]*stateQueue // by key of the target
	beats      []*heartbeatQueue
}

// New returns a Notifier for an archive's targets. It sends nothing. The error lists each unusable target, as
// redact.Target shows it, with the reason and a remedy.
func New(targets []string, o Options) (*Notifier, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Transport == nil {
		o.Transport = transport()
	}
	n := &Notifier{states: map[string]*stateQueue{}}
	var errs []error
	seen := map[string]bool{}
	for i, raw := range targets {
		if err := n.add(raw, o, seen); err != nil {
			errs = append(errs, fmt.Errorf("notify target %d, %s: %w", i+1, redact.Target(raw), err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return n, nil
}

// add parses one target.
func (n *Notifier) add(raw string, o Options, seen map[string]bool) error {
	key := hash(raw)
	if seen[key] {
		return errors.New("it is listed twice; remove one")
	}
	seen[key] = true
	send, heartbeat, err := parse(raw, o)
	if err != nil {
		return err
	}
	c := &deliverer{
		send: send,
		wake: make(chan struct{}, 1),
		log:  o.Log.With("archive", clean(o.Archive, maxName), "target", redact.Target(raw)),
	}
	if heartbeat {
		b := &heartbeatQueue{}
		n.beats, c.queue = append(n.beats, b), b
	} else {
		b := &stateQueue{delivered: OK}
		n.states[key], c.queue = b, b
		if o.Targets != nil {
			c.shared, c.archive = o.Targets.join(key, o.Archive), o.Archive
		}
	}
	n.deliverers = append(n.deliverers, c)
	return nil
}

// Update sets the archive's current state. It may be called at any rate and never blocks; only a change is sent.
// While the state stays the same, a message that is not yet delivered has the newest Detail and Recoverable, and
// the first At. An invalid State is a bug in the caller: it is logged and ignored.
func (n *Notifier) Update(e Event) {
	for _, c := range n.deliverers {
		if !e.State.valid() {
			c.log.Error("an invalid state was not sent", "state", string(e.State))
			continue
		}
		if b, ok := c.queue.(*stateQueue); ok {
			b.update(e)
			c.wakeUp()
		}
	}
}

// Succeeded pings the heartbeats. It never blocks. Calls during a ping, or during its retries, result in one more
// ping.
func (n *Notifier) Succeeded() {
	for _, c := range n.deliverers {
		if b, ok := c.queue.(*heartbeatQueue); ok {
			b.beat()
			c.wakeUp()
		}
	}
}

// Failures returns the number of attempts to deliver that failed.
func (n *Notifier) Failures() (all int64) {
	for _, c := range n.deliverers {
		all += c.failed.Load()
	}
	return all
}

// Export returns the last delivered state of each target by a hash of the target; the State is empty if the
// delivery is uncertain. Saved and passed to Restore after a restart, it prevents that a state is sent twice. A
// weak password in a target can be guessed from its hash, so keep the result as private as the configuration.
func (n *Notifier) Export() map[string]State {
	kept := make(map[string]State, len(n.states))
	for key, b := range n.states {
		kept[key] = b.export()
	}
	return kept
}

// Restore loads a result of Export, which may come from a Notifier with other targets: unknown targets are ignored.
// It is called before Run, or later: a target to which a state was sent since New keeps that.
func (n *Notifier) Restore(kept map[string]State) {
	for key, b := range n.states {
		if s, ok := kept[key]; ok && (s == "" || s.valid()) {
			b.restore(s)
		}
	}
}

// Run delivers until ctx ends. Attempts in progress then have 3 more seconds. Export shows what was delivered. Run
// must be called once.
func (n *Notifier) Run(ctx context.Context) {
	hard, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var wg sync.WaitGroup
	for _, c := range n.deliverers {
		wg.Go(func() { c.run(ctx, hard) })
	}
	<-ctx.Done()
	timer := time.AfterFunc(drainTimeout, cut)
	defer timer.Stop()
	wg.Wait()
}
