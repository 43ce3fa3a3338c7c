package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
)

// Store is the bucket below one archive's prefix. Its objects are immutable: an
// adapter creates and deletes objects and never overwrites one. All methods are safe
// for concurrent use. Errors of all methods wrap fs.ErrNotExist if the object
// (or the bucket) does not exist.
type Store interface {
	// Put creates an object, durably and at most once, from exactly the bytes that sums describes. The provider
	// checks the bytes, or the adapter if there is no provider. After nil, the object is complete and survives a
	// power loss.
	//
	// If an object with the size and checksum of sums exists, Put succeeds with PutResult.Existed set. Both can be
	// forged, so the caller reads the object back. For any other existing object it returns ErrExists. If the bytes
	// do not match sums, it returns ErrMismatch and creates no object. If something that is no object is in the way, the
	// error is a Blocked.
	//
	// Put retries temporary failures and then reads body again; it may read body from several goroutines at once.
	// If Stat returns no checksum, Put compares an existing object before it sends anything.
	Put(ctx context.Context, key string, body io.ReaderAt, sums Sums) (PutResult, error)

	// Get reads length bytes from offset, or to the end if length is negative. The result may be cut short or
	// damaged in transfer, so the caller must compare its hash. If the service ignores the offset, the error wraps
	// ErrNoRanges where the adapter can find that out.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)

	// Stat returns an object's size, time, and the checksums that the provider stores.
	Stat(ctx context.Context, key string) (Object, error)

	// List yields the objects whose key begins with prefix and is greater than after, in ascending byte order. With
	// a delimiter, keys that contain it after the prefix are rolled up into one Object whose key ends with it, with
	// IsDir set. An empty result is not an error. An error ends the sequence. ErrUnordered is the error if the service
	// lists in another order: see InOrder.
	List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[Object, error]

	// Delete removes objects. It uses only Key and Version. An object with a Version is removed only while that is
	// the version under the key; otherwise the existing object stays, and the error wraps ErrChanged. The service
	// compares and deletes in one step, if it gives ConditionalDelete.
	//
	// A missing object is not an error. If some fail, the others are still removed, and the joined error names each
	// failed key.
	Delete(ctx context.Context, objects []Object) error
}

// Sweeper is an optional interface for stores where an interrupted run can leave data that List does not show, such
// as S3 multipart uploads.
type Sweeper interface {
	// Sweep removes unfinished uploads below the archive's prefix that are at least a week old, or that this
	// process began and could not end. It returns their number.
	Sweep(ctx context.Context) (int, error)
}

// SurroundingsLister is an optional interface for stores whose place may lie inside another archive's.
type SurroundingsLister interface {
	// Surroundings returns the places that contain this one, the nearest first. It sends no request. Errors of
	// their stores wrap fs.ErrPermission if the credentials are limited to the archive's own prefix.
	Surroundings() []Place
}

// A Place is an address at which an archive could be stored.
type Place struct {
	Address string // the URL for messages, without settings
	Store   Store  // for reading only
}

// Syncer is an optional interface for stores where an existing object may not survive a power loss, because an
// interrupted Put created it and did not sync it.
type Syncer interface {
	// Sync makes an existing object durable.
	Sync(ctx context.Context, key string) error
	// SyncAll makes all existing objects durable.
	SyncAll(ctx context.Context) error
}

// Holder is an optional interface for stores whose address may refer to another place during use: a directory whose
// disk is unmounted, or over which another disk is mounted.
type Holder interface {
	// Hold binds all operations to the place that the first of them finds, until release is called. An operation
	// that finds another place at the address, or none any more, fails with ErrGone. Holds may overlap: the last
	// release ends the binding. A store without any Hold stays bound until it is closed. During a hold, only the
	// Put of archive.json may create the place.
	Hold() (release func())
}

// BlockFinder is an optional interface for stores in which something that is no object can keep one from being created:
// in a file system, a directory under the object's key, or a file in the place of one of its directories. No listing
// shows it.
type BlockFinder interface {
	// FindBlock returns what keeps an object from being created under key; nil if nothing does, or if an object exists
	// there. It creates nothing.
	FindBlock(ctx context.Context, key string) (*Blocked, error)
}

// Blocked is the error of a Put that something keeps from creating an object. It wraps ErrBlocked.
type Blocked struct {
	Path  string // what is in the way, as the operator finds it
	What  string // its kind, such as "a directory"
	AtKey bool   // it lies under the key itself, so that other keys are free
}

func (b *Blocked) Error() string {
	wanted := "a directory"
	if b.AtKey {
		wanted = "an object"
	}
	return fmt.Sprintf("%s is %s, and %s of the archive belongs there; rename or remove it", b.Path, b.What, wanted)
}

// Unwrap returns ErrBlocked.
func (b *Blocked) Unwrap() error { return ErrBlocked }

// CreationTester is an optional interface for stores that may allow to create some objects and not others: in a file
// system, each directory has an owner and permissions of its own, and may be on another disk.
type CreationTester interface {
	// TestCreation returns the error of the first Put of these keys that would fail because of where the object belongs;
	// nil if none would, or if the archive's directory does not exist. What lies under a key itself does not count. It
	// creates neither an object nor a directory for one, but perhaps a file that no listing shows, and removes it.
	TestCreation(ctx context.Context, keys iter.Seq[string]) error
}

// RetentionStore is an optional interface for stores that can lock objects against deletion and change. All methods
// are safe for concurrent use; only one backup at a time renews.
type RetentionStore interface {
	// RenewLock sets the end of the lock for objects that are put from now on. The time advances in steps, not with
	// each call, and is zero if locks have no end. It reports whether the store locks objects.
	RenewLock() (until time.Time, locks bool)
	// Locked reports whether an object's lock is at least as strong as that of objects put now.
	Locked(ctx context.Context, key string) (bool, error)
	// Lock makes an object's lock at least as strong as that of objects put now.
	Lock(ctx context.Context, key string) error
}

// FaultProbe is an optional interface that bypasses the adapter's own checks, so that Probe can test the service
// itself.
type FaultProbe interface {
	// PutWithWrongChecksum sends content with the checksum of other content. It returns ErrMismatch if the service
	// refused it, and nil if the service created the object.
	PutWithWrongChecksum(ctx context.Context, key string, content []byte) error
	// PutOverExisting sends content in the way of large objects, without a prior check of the key. It returns
	// ErrExists if the service refused to replace an object, and nil if it created the object.
	PutOverExisting(ctx context.Context, key string, content []byte) error
	// DeleteVersion deletes an object on the condition that it has this version, which is another object's. It
	// returns ErrChanged if the service kept the object, and nil if the service reported success.
	DeleteVersion(ctx context.Context, key, version string) error
}

// Unproven is an optional interface for stores in a service of any kind, for which no adapter was tested. Before the
// first snapshot in such a store, archives run the whole of storecheck.Probe, and refuse the store if a trial fails.
type Unproven interface {
	// CreateAtOnce creates one object with a writer for each of contents. It does not check the key before. All writers
	// send their content first, and then complete at the same moment. It returns how many of them succeeded. An error
	// is another one than that the object exists.
	CreateAtOnce(ctx context.Context, key string, contents [][]byte) (created int, err error)
}

// A Guarantee is a property that archives rely on and that some services do not have.
type Guarantee string

// The guarantees.
const (
	CreateOnly Guarantee = "create-only" // a Put never replaces an object, with any number of concurrent writers
	Checksums  Guarantee = "checksums"   // bytes that do not match the promised checksum create no object
	// ConditionalDelete means that a Delete removes only the version that was read. Only repairs rely on it.
	ConditionalDelete Guarantee = "conditional-delete"
)

// Classless is an optional interface for stores without storage classes: no object is ever Frozen.
type Classless interface {
	// HasNoClasses does nothing.
	HasNoClasses()
}

// FullRate is an optional interface for stores that one request reads as fast as several, such as a directory. Ranges of
// one object that are read at the same time would only cost more.
type FullRate interface {
	// ReadsAtFullRate does nothing.
	ReadsAtFullRate()
}

// Local is an optional interface for stores in a directory of this host.
type Local interface {
	// LocalDir returns the absolute path of the archive's directory. The first backup makes it.
	LocalDir() string
}

// Waiver is an optional interface for stores whose user can explicitly accept that a guarantee is missing.
type Waiver interface {
	// Waives reports whether the user has accepted that.
	Waives(p Guarantee) bool
}

// Waives reports whether the store's user has accepted that it does not give a guarantee.
func Waives(s Store, p Guarantee) bool {
	l, ok := s.(Waiver)
	return ok && l.Waives(p)
}

// Sums is an object's size and hashes, computed before its first byte is sent.
type Sums struct {
	Size   int64
	SHA256 manifest.Hash
	CRC32C manifest.CRC32C
}

// PutResult is the provider's information on an object that Put created or found.
type PutResult struct {
	Existed bool   // an object of that size and checksum existed, so nothing was created
	MD5     string // 32 hex digits, only if the provider stores no CRC32C
	// Frozen is the Frozen of an object that Existed. Its content cannot be read back: only its size and the checksum
	// that the provider reports were compared, and others can forge both.
	Frozen string
}

// Object is a store's information on an object, without its content.
type Object struct {
	Key      string
	IsDir    bool // a rolled-up prefix: only Key is set
	Size     int64
	Modified time.Time        // by the provider's clock
	CRC32C   *manifest.CRC32C // of the whole object; nil if the provider does not return it
	MD5      string           // 32 hex digits; empty if the provider does not return it

	// Frozen is the storage class of an object in a class from which it must be thawed before it can be read, such
	// as GLACIER or Archive. It is empty for any other object, and if the provider does not return it.
	Frozen string
	// Thawing means that a thaw of a Frozen object is under way. Only Stat returns it.
	Thawing bool
	// ThawedUntil is when the temporary copy of a thawed object ends. It is zero for any other object. Only Stat
	// returns it.
	ThawedUntil time.Time

	// Class is the storage class, such as STANDARD or Hot, as the provider names it. It decides what the object costs.
	// It is empty if the provider does not return it.
	Class string

	// Version distinguishes the object from all others that the key has had or will have. Only the store that
	// returned it can interpret it, and Stat and List return the same. Empty if the store has none.
	Version string
}

// AnyVersion returns objects without a Version, so that a Delete removes whatever exists under these keys.
func AnyVersion(keys ...string) []Object {
	objects := make([]Object, len(keys))
	for i, key := range keys {
		objects[i].Key = key
	}
	return objects
}

// The errors of stores and operations, for errors.Is.
var (
	// ErrExists means that another object exists under a key that was to be created.
	ErrExists = errors.New("another object exists under this key")
	// ErrBlocked means that something that is no object keeps one from being created under a key.
	ErrBlocked = errors.New("something that is no object is in the way")
	// ErrMismatch means that the bytes read from the source do not match the promised hashes.
	ErrMismatch = errors.New("the bytes are not those that were hashed")
	// ErrChanged means that a Delete found another object under the key than the one that was to be deleted.
	ErrChanged = errors.New("another object is under this key now than when it was read")
	// ErrDeleting means that another process has kept the lock for deletes for so long that a Delete has given up. The
	// next one waits as long again.
	ErrDeleting = errors.New("another process deletes in this directory")
	// ErrGone means that an archive that this host has seen does not exist any more.
	ErrGone = errors.New("the archive has gone")
	// ErrProtected means that a lock, a hold or a lease protects an object, whatever the credentials may do.
	ErrProtected = errors.New("a lock, hold or lease protects the object")
	// ErrFrozen means that an object must be thawed at the provider before it can be read.
	ErrFrozen = errors.New("the object must be thawed before it can be read")
	// ErrNoRanges means that a Get from an offset on got other bytes: the service, or a proxy on the way, sends only
	// whole objects.
	ErrNoRanges = errors.New("only whole objects are sent, and no ranges")
	// ErrTransient means that the same operation may succeed later with nothing changed.
	ErrTransient = errors.New("the failure may pass")
	// ErrUnordered means that a service does not list in the order of the keys. Without InOrder, a second listing
	// succeeds, and is sorted.
	ErrUnordered = errors.New("the store does not list in the order of the keys")
	// ErrWeakStore means that the store does not give a guarantee that archives rely on.
	ErrWeakStore = errors.New("the store lacks a guarantee that archives rely on")
)
