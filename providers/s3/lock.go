package s3

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/redact"
	"github.com/strongroom-dev/strongroom/store"
)

const (
	minLock   = time.Hour
	maxLock   = 100 * 365 * 24 * time.Hour // the limit of S3
	lockSteps = 8                          // how often a lock's end moves within a period
)

// retention is the lock that the server puts on each new object. Until a lock ends, the server refuses to
// delete that version or to shorten its lock; with COMPLIANCE also for the account's owner. Strongroom
// never requests to bypass GOVERNANCE.
//
// Locks end on a grid of an eighth of the period, so a lock lasts one period and up to an eighth more. Hence
// the lock of a manifest shows whether the objects that it names need a new lock: only if the grid has moved
// since.
type retention struct {
	mode   types.ObjectLockMode // empty: locks have no end
	period time.Duration
	hold   bool // legal hold
	end    *atomic.Pointer[time.Time]
}

// lockOf returns the lock that the URL's parameters describe.
func lockOf(a *cloud.Address, now time.Time) (retention, error) {
	l := retention{end: new(atomic.Pointer[time.Time])}
	fail := func(format string, args ...any) (retention, error) {
		return l, fmt.Errorf("archive URL %s: %w", a.Where, fmt.Errorf(format, args...))
	}
	var err error
	if l.hold, err = a.Truth("legal_hold"); err != nil {
		return l, err
	}
	if l.mode, err = oneOf(a, "lock", append([]types.ObjectLockMode{""}, l.mode.Values()...)...); err != nil {
		return l, err
	}
	period, given := a.Params["lock_for"]
	switch {
	case l.mode == "" && given:
		return fail("parameter lock_for needs a mode; add lock=GOVERNANCE or lock=COMPLIANCE")
	case l.mode == "":
		return l, nil
	case !given:
		return fail("parameter lock needs a period; add one, such as lock_for=30d")
	}
	if l.period, err = days(period); err != nil || l.period < minLock || l.period > maxLock {
		return fail("parameter lock_for is %s; write days or hours, such as 30d or 36h, from 1h to 36500d",
			redact.Value("lock_for", period))
	}
	l.renew(now)
	return l, nil
}

// of returns the lock of a new object under a key. A probe deletes its objects afterwards, so only one of
// them is locked.
func (l retention) of(key string) retention {
	if strings.HasPrefix(key, store.ProbePrefix) && !store.ProbesLock(key) {
		return retention{}
	}
	return l
}

// any reports whether new objects are locked.
func (l *retention) any() bool { return l.mode != "" || l.hold }

// endFrom returns the end of the lock of an object that is put at a time.
func (l *retention) endFrom(now time.Time) time.Time {
	step := int64(l.period / lockSteps / time.Second)
	return time.Unix((now.Add(l.period).Unix()/step+1)*step, 0).UTC()
}

func (l *retention) renew(now time.Time) time.Time {
	end := l.endFrom(now)
	l.end.Store(&end)
	return end
}

// until returns the end of the lock of an object that is put now. It is the end that the last renewal set,
// however long the backup takes: a manifest has the same end as the objects that it names. A renewal that
// is older than half a period does not count.
func (l *retention) until(now time.Time) *time.Time {
	if l.mode == "" {
		return nil
	}
	end := *l.end.Load()
	if now := l.endFrom(now); now.Sub(end) > l.period/2 {
		end = now
	}
	return &end
}

func (l *retention) legalHold() types.ObjectLockLegalHoldStatus {
	if l.hold {
		return types.ObjectLockLegalHoldStatusOn
	}
	return ""
}

// RenewLock implements store.RetentionStore.
func (s *adapter) RenewLock() (until time.Time, locks bool) {
	if s.lock.mode != "" {
		until = s.lock.renew(time.Now())
	}
	return until, s.lock.any()
}

// Locked implements store.RetentionStore.
func (s *adapter) Locked(ctx context.Context, key string) (locked bool, err error) {
	if err := cloud.CheckKey(key); err != nil {
		return false, s.fail("reading the lock of", key, err)
	}
	err = s.atOldest(ctx, *s.key(key), func(id *string) (err error) {
		locked, err = s.lockedVersion(ctx, key, id)
		return err
	})
	return locked, s.fail("reading the lock of", key, err)
}

func (s *adapter) lockedVersion(ctx context.Context, key string, id *string) (bool, error) {
	retained, err := s.retained(ctx, key, id)
	if err != nil || !retained || !s.lock.hold {
		return retained, err
	}
	h, err := s.client.GetObjectLegalHold(ctx, &s3.GetObjectLegalHoldInput{Bucket: &s.bucketName, Key: s.key(key), VersionId: id})
	switch {
	case unlocked(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("GetObjectLegalHold: %w", err)
	}
	return h.LegalHold != nil && h.LegalHold.Status == types.ObjectLockLegalHoldStatusOn, nil
}

// retained reports whether a version is locked for as long, and as strongly, as a new object.
func (s *adapter) retained(ctx context.Context, key string, id *string) (bool, error) {
	until := s.lock.until(time.Now())
	if until == nil {
		return true, nil
	}
	out, err := s.client.GetObjectRetention(ctx, &s3.GetObjectRetentionInput{Bucket: &s.bucketName, Key: s.key(key), VersionId: id})
	switch {
	case unlocked(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("GetObjectRetention: %w", err)
	}
	r := out.Retention
	return r != nil && !aws.ToTime(r.RetainUntilDate).Before(*until) &&
		(r.Mode == types.ObjectLockRetentionModeCompliance || string(r.Mode) == string(s.lock.mode)), nil
}

// unlocked reports whether err is the service's answer for an object without a lock.
func unlocked(err error) bool { return apiCode(err) == "NoSuchObjectLockConfiguration" }

// Lock implements store.RetentionStore.
func (s *adapter) Lock(ctx context.Context, key string) error {
	if err := cloud.CheckKey(key); err != nil {
		return s.fail("locking", key, err)
	}
	err := s.atOldest(ctx, *s.key(key), func(id *string) error { return s.lockVersion(ctx, key, id) })
	return s.fail("locking", key, err)
}

func (s *adapter) lockVersion(ctx context.Context, key string, id *string) error {
	if until := s.lock.until(time.Now()); until != nil {
		err := s.withSum(func(sum types.ChecksumAlgorithm, o ...func(*s3.Options)) error {
			_, err := s.client.PutObjectRetention(ctx, &s3.PutObjectRetentionInput{
				Bucket: &s.bucketName, Key: s.key(key), VersionId: id, ChecksumAlgorithm: sum,
				Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionMode(s.lock.mode), RetainUntilDate: until},
			}, o...)
			return err
		})
		if err != nil && dialect.Classify(err) != cloud.NotFound {
			// Services refuse to shorten or to weaken a lock. So the existing lock may be a stronger one.
			if better, lookErr := s.retained(ctx, key, id); lookErr == nil && better {
				err = nil
			}
		}
		if err != nil {
			return fmt.Errorf("PutObjectRetention: %w", err)
		}
	}
	if s.lock.hold {
		err := s.withSum(func(sum types.ChecksumAlgorithm, o ...func(*s3.Options)) error {
			_, err := s.client.PutObjectLegalHold(ctx, &s3.PutObjectLegalHoldInput{
				Bucket: &s.bucketName, Key: s.key(key), VersionId: id, ChecksumAlgorithm: sum,
				LegalHold: &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatusOn},
			}, o...)
			return err
		})
		if err != nil {
			return fmt.Errorf("PutObjectLegalHold: %w", err)
		}
	}
	return nil
}

var (
	_ store.RetentionStore = (*adapter)(nil)
	_ store.Waiver         = (*adapter)(nil)
)
