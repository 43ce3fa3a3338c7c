package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
)

// A backup that is killed before or after any of its system calls costs no snapshot that is
// listed, and the same command makes the one that is missing, also where the source has changed
// and another host has made a snapshot in between. Cron does nothing but that.
func TestBackupKilledEverywhere(t *testing.T) {
	t.Parallel()
	logs := killLogs()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	backups := []killBackup{
		{name: "to a new archive"},
		{name: "to an archive", snapshots: 1},
		{name: "to an encrypted archive", flags: []string{"--recipient", identity.Recipient().String()}, snapshots: 1},
	}
	var commands []killable
	for i := range backups {
		backups[i].logs = logs
		backups[i].identity = identity
		commands = append(commands, backups[i].killable())
	}
	killEverywhere(t, commands, 2)
}

// A killBackup is a backup that is killed.
type killBackup struct {
	name      string
	flags     []string
	snapshots int // that the archive has before
	logs      [3]logFiles
	identity  *age.X25519Identity
}

func (k *killBackup) killable() killable {
	return killable{
		name: "backup " + k.name, prepare: k.prepare, args: k.args, killed: k.killed, between: k.between, again: k.again,
	}
}

func (k *killBackup) args(w *killWorld) []string {
	return slices.Concat([]string{"backup", "--source", w.db, "--layout", "je", "--node", "n"}, k.flags, []string{w.url})
}

func (k *killBackup) prepare(t *testing.T, w *killWorld) {
	if k.snapshots > 0 {
		k.logs[0].write(t, w.db)
		if o := w.host(t, k.args(w)...); o.code != exitDone {
			t.Fatalf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
		}
	}
	k.logs[k.snapshots].write(t, w.db)
}

func (k *killBackup) killed(t *testing.T, w *killWorld) {
	listed := w.intact(t, k.snapshots)
	if w.was = listed > k.snapshots; w.output != "" && !w.was {
		t.Fatalf("it has reported a snapshot, and there is none:\n%s", w.output)
	}
}

func (k *killBackup) between(t *testing.T, w *killWorld) {
	k.logs[1].write(t, w.db)
	w.must(t, k.args(w)...)
	k.logs[2].write(t, w.db)
}

func (k *killBackup) again(t *testing.T, w *killWorld, changed bool, o outcome) {
	if o.code != exitDone {
		t.Fatalf("the same command again: exit code %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	want, snapshots := k.logs[k.snapshots], k.snapshots+1
	if changed {
		want = k.logs[2]
	}
	if n := w.intact(t, snapshots); !changed && n != snapshots {
		t.Errorf("%d snapshots; want %d", n, snapshots)
	}
	k.restores(t, w, want)
	var verified []struct{ Unreferenced int }
	if err := json.Unmarshal([]byte(w.must(t, "verify", "--json", "--no-proof", w.url).stdout), &verified); err != nil {
		t.Fatal(err)
	}
	if n := verified[0].Unreferenced; n > 0 && !changed {
		t.Errorf("the second run did not take %d objects of the first", n)
	}
	k.clean(t, w, snapshots+1)
}

// age makes all in the local state two hours old: a young temporary file may be of a process
// that writes.
func (w *killWorld) age(t *testing.T) {
	t.Helper()
	then := time.Now().Add(-2 * time.Hour)
	for _, name := range filesBelow(t, w.state()).names() {
		if err := os.Chtimes(filepath.Join(w.state(), name), then, then); err != nil {
			t.Fatal(err)
		}
	}
}

// restores checks that the newest snapshot has these log files.
func (k *killBackup) restores(t *testing.T, w *killWorld, want logFiles) {
	t.Helper()
	identity := filepath.Join(w.dir, "identity")
	if err := writeLog(identity, []byte(k.identity.String()+"\n")); err != nil {
		t.Fatal(err)
	}
	w.must(t, "restore", w.url, "--identity", identity, "--to", w.to)
	if !want.are(t, w.to) {
		t.Errorf("restored is %q, or other bytes; want %q", filesBelow(t, w.to).names(), want.names())
	}
}

// clean checks that a backup that stores something, and a prune, leave nothing of the killed run.
func (k *killBackup) clean(t *testing.T, w *killWorld, snapshots int) {
	t.Helper()
	killLogs()[2].write(t, w.db)
	w.age(t)
	if o := w.host(t, append(k.args(w), "--force")...); o.code != exitDone {
		t.Fatalf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	w.must(t, "prune", "--keep-last", fmt.Sprint(snapshots+2), w.url)
	for _, dir := range []string{strings.TrimPrefix(w.url, "file://"), w.state()} {
		for _, name := range filesBelow(t, dir).names() {
			if strings.Contains(name, "put-") || strings.Contains(name, ".witness-") {
				t.Errorf("%s is left in %s", name, dir)
			}
		}
	}
	var verified []struct{ Unreferenced int }
	if err := json.Unmarshal([]byte(w.must(t, "verify", "--json", "--no-proof", w.url).stdout), &verified); err != nil {
		t.Fatal(err)
	}
	if n := verified[0].Unreferenced; n > 0 {
		t.Errorf("%d objects are left that no snapshot needs", n)
	}
}
