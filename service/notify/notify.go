// Package notify tells people when the state of an archive changes, and tells a heartbeat
// monitor that runs still end well. It knows nothing of archives: it is handed plain
// values. One Notifier serves one archive.
//
//	n, err := notify.New(targets, notify.Options{Archive: "orders", Log: log})
//	n.Restore(kept)          // what Export gave before the last stop, if it was kept
//	go n.Run(ctx)            // delivers until ctx ends
//	n.Update(notify.Event{State: notify.Failing, At: now, Detail: "the bucket is away"})
//	n.Succeeded()            // after each run that ended well
//
// # Targets
//
// A target is one URL. What it is shows in its scheme:
//
//   - https://, http://: a heartbeat, as healthchecks.io and its like have them. It is
//     asked for with GET, just as it stands, after each run that ended well, and never
//     otherwise: its monitor raises the alarm when it hears nothing.
//   - webhook+https://, webhook+http://: a POST with JSON when the state changes; the
//     fields are those of Payload.
//   - any other: a message when the state changes, by the shoutrrr service of that scheme:
//     smtp://, slack://, telegram://, discord://, teams://, ntfy://, gotify:// and others.
//     https://shoutrrr.nickfedor.com describes their URLs.
//
// Any status of 2xx is a success. A redirect is followed only to the same scheme and host
// and only with the same method; shoutrrr's services keep their own rules.
//
// # What is sent
//
// Each target has the state that it was last told; in the beginning that is OK. A state
// that differs is sent, once, and retried until it arrived: after 1 s, doubling to
// 10 minutes, for 24 hours. Only the newest state counts: what came and went while a
// target was away is not told afterwards. A target that is slow or broken holds up
// neither the caller nor another target.
//
// An attempt that was cut off may have arrived all the same, so it is sent again: then a
// target may hear a state twice, rather than never.
//
// # Secrets
//
// Most targets are secrets: who has the URL can post there. No error and no log line
// shows more of one than Redact does.
package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// State is how an archive is. When several are true, the caller names the worst.
type State string

// The states, from good to bad.
const (
	OK      State = "ok"
	Failing State = "failing" // the last run failed, or what is done beside snapshots fails again and again
	Overdue State = "overdue" // a run should have ended well by now and did not
	Damaged State = "damaged" // what was archived is not as it should be
)

// valid reports whether s is one of the states.
func (s State) valid() bool {
	return s == OK || s == Failing || s == Overdue || s == Damaged
}

// Event is the state of the archive at one time.
type Event struct {
	State State
	At    time.Time // when the state began
	// Detail is one line or a few for people, such as the error. It is sent to every
	// target: it holds no credentials.
	Detail string
	// Recoverable is the time up to which a restore is possible; zero: not known, or none.
	Recoverable time.Time
}

// Options say how to deliver.
type Options struct {
	Archive string       // the name that messages have
	Version string       // of the program, for the User-Agent; may be empty
	Log     *slog.Logger // nil: slog.Default()

	// Transport carries heartbeats and webhooks; nil: one that keeps no connections and
	// uses the proxy of the environment.
	Transport http.RoundTripper
}

// Notifier delivers the states of one archive to its targets. Its methods may be called
// by many goroutines at once.
type Notifier struct {
	deliverers []*deliverer
	states     map[string]*stateQueue // by key of the target
	beats      []*heartbeatQueue
}

// New makes a Notifier of an archive's targets. It sends nothing. The error names each
// target that cannot be used, as Redact shows it, says why and what to do.
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
			errs = append(errs, fmt.Errorf("notify target %d, %s: %w", i+1, Redact(raw), err))
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
		return errors.New("it is named twice; remove one")
	}
	seen[key] = true
	send, heartbeat, err := parse(raw, o)
	if err != nil {
		return err
	}
	c := &deliverer{
		send: send,
		wake: make(chan struct{}, 1),
		log:  o.Log.With("archive", clean(o.Archive, maxName), "target", Redact(raw)),
	}
	if heartbeat {
		b := &heartbeatQueue{}
		n.beats, c.queue = append(n.beats, b), b
	} else {
		b := &stateQueue{delivered: OK}
		n.states[key], c.queue = b, b
	}
	n.deliverers = append(n.deliverers, c)
	return nil
}

// Update says how the archive is now. It may be called as often as one likes and never
// waits: only a change is sent. While the same state goes on, the newest Detail and
// Recoverable are kept for what is still to be sent, and the first At. A State that is
// none of the four is a mistake in the program and is ignored with a log line.
func (n *Notifier) Update(e Event) {
	for _, c := range n.deliverers {
		if !e.State.valid() {
			c.log.Error("a state that does not exist was not sent", "state", string(e.State))
			continue
		}
		if b, ok := c.queue.(*stateQueue); ok {
			b.update(e)
			c.wakeUp()
		}
	}
}

// Succeeded pings the heartbeats; it never waits. While a ping is on its way, or fails and
// is retried, others that come are one.
func (n *Notifier) Succeeded() {
	for _, c := range n.deliverers {
		if b, ok := c.queue.(*heartbeatQueue); ok {
			b.beat()
			c.wakeUp()
		}
	}
}

// Export returns the state that each target was last told, by a hash of the target; an
// empty State means that this is not certain. Kept across a stop and handed to Restore,
// nobody is told again what they know. The hash of a target whose only secret is a weak
// password lets that be guessed: keep it as private as the configuration.
func (n *Notifier) Export() map[string]State {
	kept := make(map[string]State, len(n.states))
	for key, b := range n.states {
		kept[key] = b.export()
	}
	return kept
}

// Restore takes what Export gave, also by another Notifier with other targets: what it
// does not know it ignores. It is called before Run.
func (n *Notifier) Restore(kept map[string]State) {
	for key, b := range n.states {
		if s, ok := kept[key]; ok && (s == "" || s.valid()) {
			b.restore(s)
		}
	}
}

// Run delivers until ctx ends. Then what is on its way has 3 seconds more. What was not
// delivered shows in Export. It is called once.
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
