package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
)

// A restore that is killed before or after any of its system calls leaves a complete target, or one
// that is marked as incomplete. The same command completes it, also where a newer snapshot has been
// made in between. A user who restores in an emergency does nothing but that.
func TestRestoreKilledEverywhere(t *testing.T) {
	t.Parallel()
	logs := killLogs()
	restores := []killRestore{
		{name: "into a new directory"},
		{name: "into an empty directory", before: logFiles{}},
		{
			name: "over another set", flags: []string{"--overwrite", "--delete-extra"},
			before: logFiles{
				"00000001.jdb": []byte("other content"), "00000009.jdb": []byte("of another database"),
				"je.properties": []byte("x"),
			},
		},
	}
	var commands []killable
	for i := range restores {
		restores[i].logs = logs
		commands = append(commands, restores[i].killable())
	}
	killEverywhere(t, commands, 3)
}

// A killRestore is a restore of the newest snapshot that is killed.
type killRestore struct {
	name   string
	flags  []string
	before logFiles // in the target; nil: there is none
	logs   [3]logFiles
}

func (k *killRestore) killable() killable {
	return killable{
		name: "restore " + k.name, prepare: k.prepare, killed: k.killed, between: k.between, again: k.again,
		args: func(w *killWorld) []string { return slices.Concat([]string{"restore", w.url, "--to", w.to}, k.flags) },
	}
}

func (k *killRestore) prepare(t *testing.T, w *killWorld) {
	w.backup(t, k.logs[0])
	if k.before == nil {
		return
	}
	if err := os.Mkdir(w.to, 0o755); err != nil {
		t.Fatal(err)
	}
	k.before.write(t, w.to)
}

func (k *killRestore) between(t *testing.T, w *killWorld) { w.backup(t, k.logs[1]) }

// restored is the set that a restore of these log files makes of the target.
func (k *killRestore) restored(files logFiles) logFiles {
	set := logFiles{}
	for name, b := range k.before {
		if !strings.HasSuffix(name, ".jdb") {
			set[name] = b
		}
	}
	for name, b := range files {
		set[name] = b
	}
	return set
}

func (k *killRestore) killed(t *testing.T, w *killWorld) {
	w.intact(t, 1)
	_, err := os.Stat(w.to)
	if err != nil {
		if k.before != nil {
			t.Fatal("the target has gone")
		}
		return
	}
	there := filesBelow(t, w.to)
	maps.DeleteFunc(there, func(name string, _ []byte) bool { // of a marker that has no name yet
		return strings.HasPrefix(name, ".strongroom-") && strings.HasSuffix(name, ".tmp")
	})
	if len(k.before) == 0 && len(there) == 0 {
		return
	}
	_, isMarked := there[archive.IncompleteMarker]
	w.was = k.restored(k.logs[0]).are(t, w.to)
	isUntouched := k.before != nil && maps.EqualFunc(k.before, there, bytes.Equal)
	if !w.was && !isUntouched && (!isMarked || k.before == nil) {
		t.Fatalf("the target holds %q, and no mark shows that the restore has not ended", there.names())
	}
}

func (k *killRestore) again(t *testing.T, w *killWorld, changed bool, o outcome) {
	want := k.restored(k.logs[0])
	switch {
	case changed && w.was && len(k.flags) == 0: // the restore had ended, and its set may be in use
		if o.code != exitFailed || !strings.Contains(o.stderr, "--overwrite") {
			t.Fatalf("exit code %d of a restore over a complete set\n%s%s", o.code, o.stdout, o.stderr)
		}
	case o.code != exitDone:
		t.Fatalf("the same command again: exit code %d\n%s%s", o.code, o.stdout, o.stderr)
	case changed:
		want = k.restored(k.logs[1])
	}
	if !want.are(t, w.to) {
		t.Errorf("the target holds %q, or other bytes; want %q", filesBelow(t, w.to).names(), want.names())
	}
	beside, err := os.ReadDir(filepath.Dir(w.to))
	beside = slices.DeleteFunc(beside, func(e os.DirEntry) bool { // which the next restore that succeeds removes
		return o.code != exitDone && e.Name() == filepath.Base(w.to)+archive.CompleteSuffix
	})
	if err != nil || len(beside) != 1 {
		t.Errorf("%v lie where only the target should (%v)", beside, err)
	}
	w.intact(t, 1)
}
