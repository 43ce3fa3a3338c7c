package archive_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/service/scheduler"
	"github.com/strongroom-dev/strongroom/source"
)

// logFiles makes a directory with three closed log files and one that is being written.
func logFiles() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	for n := 1; n <= 4; n++ {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("log.%010d", n)), []byte("log entries\n"), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	return dir, func() { os.RemoveAll(dir) }
}

// Open a bucket and a directory, make a snapshot, and restore it. The bucket's URL could be
// s3://bucket/orders?region=eu-central-1 just as well.
func Example() {
	ctx := context.Background()
	dir, remove := logFiles()
	defer remove()

	bucket, err := providers.Open(ctx, "mem://example/orders", providers.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer bucket.Close()
	layout, err := source.NewLayout(source.LayoutOptions{Name: "bdb"})
	if err != nil {
		log.Fatal(err)
	}
	src, err := source.Open(dir, layout)
	if err != nil {
		log.Fatal(err)
	}

	a := archive.New(bucket, archive.Options{})
	res, err := a.Backup(ctx, src, archive.BackupOptions{Node: "db-1", Tool: "mine 1.0"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("snapshot", res.Snapshot.Sequence, "with", res.Snapshot.Counts.Files, "files")

	m, err := a.Snapshot(ctx, archive.Selector{}) // the newest
	if err != nil {
		log.Fatal(err)
	}
	back, err := a.Restore(ctx, m, filepath.Join(dir, "restored"), archive.RestoreOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("restored", back.Files, "files")
	// Output:
	// snapshot 1 with 3 files
	// restored 3 files
}

// embedding stands for a program that embeds its own backup manager.
type embedding struct {
	dir string
	// cleaner holds the names of log files that the cleaner must leave alone.
	cleaner map[string]bool
}

// protect has the cleaner leave files alone until release is called.
func (d *embedding) protect(names []string) (release func(), err error) {
	for _, n := range names {
		d.cleaner[n] = true
	}
	return func() { clear(d.cleaner) }, nil
}

// A database's own backup manager: a service that is started and stopped, reports whether it runs,
// and counts files copied and milliseconds spent. It keeps the database's cleaner from log files
// while they are being read.
func Example_embedded() {
	ctx := context.Background()
	dir, remove := logFiles()
	defer remove()
	db := &embedding{dir: dir, cleaner: map[string]bool{}}

	bucket, err := providers.Open(ctx, "mem://example/embedded", providers.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer bucket.Close()
	a := archive.New(bucket, archive.Options{}) // one for as long as the database is open
	layout, err := source.NewLayout(source.LayoutOptions{Name: "bdb"})
	if err != nil {
		log.Fatal(err)
	}
	schedule, err := scheduler.ParseSchedule("@every 15m", time.UTC)
	if err != nil {
		log.Fatal(err)
	}

	first := make(chan struct{}, 1)
	manager := scheduler.New(scheduler.Options{Ended: func(scheduler.JobStatus) { first <- struct{}{} }}, []scheduler.Job{{
		Name:     "orders",
		Schedule: schedule,
		Run: func(ctx context.Context) (scheduler.Result, error) {
			files, err := source.Open(db.dir, layout)
			if err != nil {
				return scheduler.Result{}, err
			}
			res, err := a.Backup(ctx, &source.Protected{Directory: files, Protect: db.protect}, archive.BackupOptions{Node: "db-1", Tool: "mine 1.0"})
			if err != nil {
				return scheduler.Result{}, err
			}
			return scheduler.Result{Snapshot: res.Snapshot.Sequence, Files: int64(res.Sent), Bytes: res.SentBytes}, nil
		},
		Last: func(context.Context) (time.Time, error) { return time.Time{}, nil }, // a snapshot at once
	}})
	if err := manager.Start(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("running:", manager.Running())
	<-first
	if err := manager.Stop(); err != nil {
		log.Fatal(err)
	}
	s := manager.Status()
	fmt.Println("running:", s.Running, "files copied:", s.Files, "time is counted:", s.Milliseconds >= 0, "protected:", len(db.cleaner))
	// Output:
	// running: true
	// running: false files copied: 3 time is counted: true protected: 0
}
