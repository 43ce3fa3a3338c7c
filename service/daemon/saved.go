package daemon

import (
	"sync"

	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/service/notify"
)

// The names of an archive's state files. No archive's name contains a plus sign.
func refusalsFile(archive string) string     { return archive + "+refused.json" }
func verificationFile(archive string) string { return archive + "+verified.json" }
func drillFile(archive string) string        { return archive + "+drilled.json" }
func notifiedFile(archive string) string     { return archive + "+told.json" }

// savedState is the content of an archive's state files.
type savedState struct {
	refused  keptRefusals
	verified keptVerification
	drilled  keptDrills
	notified map[string]notify.State
}

// readers bounds the archives whose state files are read at the same time. The files of one are read at once.
const readers = 8

// readSaved reads the state files of the archives whose state is not in memory. It holds no lock of the archives,
// since the disk may hang.
func (d *Daemon) readSaved(c *config.Config) map[string]savedState {
	var mu sync.Mutex
	all := map[string]savedState{}
	var work sync.WaitGroup
	slots := make(chan struct{}, readers)
	for i := range c.Archives {
		one := &c.Archives[i]
		if d.hasState(one) {
			continue
		}
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			s := d.readState(one.Name)
			mu.Lock()
			defer mu.Unlock()
			all[one.Name] = s
		})
	}
	work.Wait()
	return all
}

// hasState reports whether the predecessor of an archive has its state.
func (d *Daemon) hasState(one *config.Archive) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := d.find(one.Name)
	return was != nil && was.settings.Destination == one.Destination && was.refusals.about == aboutOf(one) &&
		(len(one.Notify) == 0 || d.notifiers[one.Name] != nil)
}

// readState reads an archive's state files. A file that cannot be read counts as empty.
func (d *Daemon) readState(name string) savedState {
	var s savedState
	var work sync.WaitGroup
	for _, file := range []struct {
		name, message string
		v             any
	}{
		{refusalsFile(name), "cannot read the state of confirmations", &s.refused},
		{verificationFile(name), "cannot read the last verification's result", &s.verified},
		{drillFile(name), "cannot read the last drill's result", &s.drilled},
		{notifiedFile(name), "cannot read the notification state; notifications are sent again", &s.notified},
	} {
		work.Go(func() {
			if err := d.state.Read(file.name, file.v); err != nil {
				d.o.Log.Warn(file.message, "archive", name, "error", err)
			}
		})
	}
	work.Wait()
	return s
}
