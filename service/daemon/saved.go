package daemon

import (
	"errors"
	"sync"

	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/service/notify"
	"github.com/strongroom-dev/strongroom/service/statefile"
	"github.com/strongroom-dev/strongroom/service/web"
)

// The names of an archive's state files. No archive's name contains a plus sign.
func refusalsFile(archive string) string     { return archive + "+refused.json" }
func verificationFile(archive string) string { return archive + "+verified.json" }
func drillFile(archive string) string        { return archive + "+drilled.json" }
func pauseFile(archive string) string        { return archive + "+paused.json" }
func notifiedFile(archive string) string     { return archive + "+told.json" }

// savedState is the content of an archive's state files.
type savedState struct {
	refused  keptRefusals
	verified keptVerification
	drilled  keptDrills
	paused   web.Pause
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

// stateFile is one of an archive's state files.
type stateFile struct {
	name, message string
	v             any
}

// files returns an archive's state files, whose content is s.
func (s *savedState) files(name string) []stateFile {
	return []stateFile{
		{refusalsFile(name), "cannot read the state of confirmations", &s.refused},
		{verificationFile(name), "cannot read the last verification's result", &s.verified},
		{drillFile(name), "cannot read the last drill's result", &s.drilled},
		{pauseFile(name), "cannot read whether the archive is paused", &s.paused},
		{notifiedFile(name), "cannot read the notification state; notifications are sent again", &s.notified},
	}
}

// readState reads an archive's state files. A file that cannot be read counts as empty, but such a pause holds. If the
// disk hangs, the file is added once it can be read: a state directory that hangs does not end all backups.
func (d *Daemon) readState(name string) savedState {
	var s savedState
	var work sync.WaitGroup
	for i, file := range s.files(name) {
		work.Go(func() {
			err := d.state.Read(file.name, file.v)
			if err != nil {
				d.o.Log.Warn(file.message, "archive", name, "error", err)
			}
			if errors.Is(err, statefile.ErrUnreadable) && file.name == pauseFile(name) {
				s.paused = unknownPause(d.o.Now(), err)
			}
			if errors.Is(err, statefile.ErrHangs) {
				late := &savedState{}
				d.state.ReadLater(file.name, late.files(name)[i].v, func() { d.addSaved(name, late) })
			}
		})
	}
	work.Wait()
	return s
}

// addSaved adds a state that was read after the start to the present one, which is newer.
func (d *Daemon) addSaved(name string, late *savedState) {
	d.setting.Lock() // until Set has made the archive
	defer d.setting.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if k := d.find(name); k != nil {
		k.addSaved(late)
		d.restorePause(name, late.paused)
	}
	if t := d.notifiers[name]; t != nil && late.notified != nil {
		t.Restore(late.notified)
		d.saveNotified(name, t)
	}
}

// addSaved adds what belongs to the archive itself.
func (k *managedArchive) addSaved(late *savedState) {
	k.refusals.add(late.refused)
	if late.verified.Destination == providers.Place(k.settings.Destination) {
		k.mu.Lock()
		if k.known.verification.At.IsZero() {
			k.known.verification = late.verified.Found
		}
		k.mu.Unlock()
	}
	if late.drilled.Destination == providers.Place(k.settings.Destination) {
		k.keepDrill(func(d *drills) {
			if was := late.drilled.Drills.Last; was.At.After(d.Last.At) {
				d.Last = was
			}
			if was := late.drilled.Drills.Proven; was.After(d.Proven) {
				d.Proven = was
			}
		})
	}
}
