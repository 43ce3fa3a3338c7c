package store

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
)

// Store is the bucket below one archive's prefix. Its objects are immutable: an
// adapter creates and deletes them and never overwrites one. All methods are safe
// for concurrent use. Errors of all methods wrap fs.ErrNotExist where the object
// (or the bucket) does not exist.
type Store interface {
	// Put makes key, durably and at most once, from exactly the bytes that sums
	// describes, and has the provider (or, where there is none, the adapter) check
	// them. When it returns nil the object is there, whole, and survives a power
	// loss. An object that exists already is success, with Stored.Existed set, if
	// its size and checksum are those of sums. These can be forged, so that the
	// caller reads it back. Another one is ErrExists. Bytes that are not those that
	// were promised are ErrMismatch, and no object is made. Put retries by itself
	// what is worth retrying, reading body again; it may read body from several
	// goroutines at once. Where Stat tells no checksum, Put compares what exists before
	// it sends anything.
	Put(ctx context.Context, key string, body io.ReaderAt, sums Sums) (PutResult, error)

	// Get reads length bytes from offset, or to the end when length is negative.
	// What it returns may be cut short or damaged by the way: the caller hashes.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)

	// Stat tells an object's size, time, and the checksums that the provider holds.
	Stat(ctx context.Context, key string) (Object, error)

	// List yields the objects whose key begins with prefix and is greater than
	// after, in ascending order of their bytes. With a delimiter, keys that hold it
	// beyond the prefix are rolled up into one Object that ends in it, with IsDir
	// set. Nothing there is no error. An error ends the sequence.
	List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[Object, error]

	// Delete removes the keys. A key that is not there is no error. When some fail,
	// the rest are removed all the same and the joined error names each.
	Delete(ctx context.Context, keys []string) error
}

// Sweeper is what a Store has besides when broken-off runs can leave something
// behind that no listing shows, such as S3's multipart uploads.
type Sweeper interface {
	// Sweep removes left-behind uploads below the archive's prefix that are a week
	// old, or that this process began and could not end. It returns how many.
	Sweep(ctx context.Context) (int, error)
}

// SurroundingsLister is what a Store has besides when there may be other archives around its place.
type SurroundingsLister interface {
	// Surroundings returns the places within which this one lies, the nearest first. It sends no
	// request. Errors of their stores wrap fs.ErrPermission where the credentials end at the
	// archive's own prefix.
	Surroundings() []Place
}

// A Place is where an archive could lie.
type Place struct {
	Address string // its URL without settings
	Store   Store  // is only read
}

// Syncer is what a Store has besides when an object can be there and not survive a power loss:
// an interrupted Put created it and came no further.
type Syncer interface {
	// Sync makes an object durable that is there.
	Sync(ctx context.Context, key string) error
	// SyncAll makes all objects durable that are there.
	SyncAll(ctx context.Context) error
}

// Holder is what a Store has besides when its address may come to name another place while it
// is in use: a directory whose disk is unmounted, or over which another one is mounted.
type Holder interface {
	// Hold keeps all operations, until release is called, at the place that the first of them
	// finds. One that finds another place at the address, or none any more, fails with
	// ErrGone. Several may hold it. Without any Hold the place is kept until the store is
	// closed; once there was one, it is let go of whenever the last is released. While it is
	// held, no Put but that of archive.json makes a place where there is none.
	Hold() (release func())
}

// RetentionStore is what a Store has besides when it can lock what it puts against deletion and
// change. All methods are safe for concurrent use; one backup at a time renews.
type RetentionStore interface {
	// RenewLock sets until when what is put from now on is locked; the time moves on in
	// steps, not with each call, and is zero when locks have no end. It reports whether
	// anything is locked at all.
	RenewLock() (until time.Time, locks bool)
	// Locked reports whether an object's lock is no weaker than that of what is put now.
	Locked(ctx context.Context, key string) (bool, error)
	// Lock makes an object's lock no weaker than that of what is put now.
	Lock(ctx context.Context, key string) error
}

// FaultProbe is what a Store has besides when its own care would hide from Probe what the
// service itself does about what should not be.
type FaultProbe interface {
	// PutWithWrongChecksum sends content with the checksum of other content. ErrMismatch: the service
	// refused it. nil: it made the object.
	PutWithWrongChecksum(ctx context.Context, key string, content []byte) error
	// PutOverExisting sends content as large objects are sent, without a look at what lies under
	// the key before. ErrExists: the service refused to replace that. nil: it made the
	// object.
	PutOverExisting(ctx context.Context, key string, content []byte) error
}

// A Promise is something that archives rely on and that not every service keeps.
type Guarantee string

// The promises.
const (
	CreateOnly Guarantee = "create-only" // a Put never replaces an object, whoever else writes
	Checksums  Guarantee = "checksums"   // bytes that are not those that were promised make no object
)

// Waiver is what a Store has besides when its user can accept by name that a promise is
// not kept.
type Waiver interface {
	// Waives reports whether the user has accepted that.
	Waives(p Guarantee) bool
}

func Waives(s Store, p Guarantee) bool {
	l, ok := s.(Waiver)
	return ok && l.Waives(p)
}

// Sums is what is known of an object before its first byte is sent.
type Sums struct {
	Size   int64
	SHA256 manifest.Hash
	CRC32C manifest.CRC32C
}

// PutResult is what the provider says of an object that Put made or found.
type PutResult struct {
	Existed bool   // an object of that size and checksum was there already, nothing was made
	MD5     string // 32 hex digits, only where the provider holds no CRC32C
}

// Object is what a store tells about an object without reading it.
type Object struct {
	Key      string
	IsDir    bool // a rolled-up prefix: only Key is set
	Size     int64
	Modified time.Time        // by the provider's clock
	CRC32C   *manifest.CRC32C // of the whole object, where the provider tells it
	MD5      string           // 32 hex digits, where the provider tells it
}

// What stores and operations report; test with errors.Is.
var (
	// ErrExists: another object lies under a key that was to be created.
	ErrExists = errors.New("another object exists under this key")
	// ErrMismatch: the bytes read from the source are not those that were promised.
	ErrMismatch = errors.New("the bytes are not those that were hashed")
	// ErrGone: this host has seen an archive where there is none any more.
	ErrGone = errors.New("the archive has gone")
	// ErrWeakStore: the store does not keep a promise that archives rely on.
	ErrWeakStore = errors.New("the store does not do what archives rely on")
)
