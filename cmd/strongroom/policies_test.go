package main

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/strongroom-dev/strongroom/store/storetest"
)

// user has the permissions that policies in deploy/policies/aws grant, in a bucket with an archive.
type user struct {
	*storetest.Server
	sdk.Credentials
}

// newUser makes credentials on the server that have the policies' permissions.
func newUser(t *testing.T, server *storetest.Server, policies ...string) user {
	t.Helper()
	var statements []string
	for _, name := range policies {
		b, err := os.ReadFile("../../deploy/policies/aws/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(b), `"Statement": [`)
		statements = append(statements, rest[:strings.LastIndex(rest, "]")])
	}
	return assume(t, server, statements...)
}

// assume makes credentials on the server that have the permissions in statements of a policy.
func assume(t *testing.T, server *storetest.Server, statements ...string) user {
	t.Helper()
	policy := `{"Version": "2012-10-17", "Statement": [` + strings.Join(statements, ",") + "]}"
	policy = strings.NewReplacer("arn:aws:s3:::backups", "arn:aws:s3:::"+server.Bucket, "orders/node-1", strings.Trim(server.Prefix, "/"), "\n", "", "  ", "").Replace(policy)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"), config.WithBaseEndpoint(u.Query().Get("endpoint")))
	if err != nil {
		t.Fatal(err)
	}
	out, err := sts.NewFromConfig(cfg).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: sdk.String("arn:aws:iam::000000000000:role/any"), RoleSessionName: sdk.String("test"), Policy: &policy,
	})
	if err != nil {
		t.Fatalf("asking for credentials under %s: %v", policy, err)
	}
	c := out.Credentials
	return user{server, sdk.Credentials{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken}}
}

// strongroom runs the program with the user's credentials.
func (u user) strongroom(t *testing.T, args ...string) outcome {
	t.Helper()
	c := program(t, args...)
	c.Env = append(c.Env, "AWS_ACCESS_KEY_ID="+u.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+u.SecretAccessKey, "AWS_SESSION_TOKEN="+u.SessionToken)
	return finish(t, c)
}

// can fails the test if the program does not end with 0.
func (u user) can(t *testing.T, args ...string) {
	t.Helper()
	if o := u.strongroom(t, args...); o.code != 0 || strings.Contains(o.stderr, "may not") {
		t.Errorf("strongroom %q: exit code %d\n%s%s", args, o.code, o.stdout, o.stderr)
	}
}

// client acts as a thief of the user's credentials.
func (u user) client(t *testing.T) *s3.Client {
	t.Helper()
	o := u.Server.Client.Options()
	o.Credentials = sdk.CredentialsProviderFunc(func(context.Context) (sdk.Credentials, error) { return u.Credentials, nil })
	return s3.New(o)
}

// The policies in deploy/policies/aws, on a server that evaluates them: each user can do what
// docs/permissions.md allows, and cannot do what it excludes.
func TestPolicies(t *testing.T) {
	t.Parallel()
	whole(t)
	for name, bucket := range map[string]func(*testing.T) *storetest.Server{
		"no versions": storetest.NewS3, "versions": storetest.NewS3Versions, "locks": storetest.NewS3Locks,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := bucket(t)
			at := server.URL
			policies := []string{"archiver-no-delete"}
			if name == "locks" {
				at += "&lock=GOVERNANCE&lock_for=30d"
				policies = append(policies, "lock")
			}
			db := t.TempDir()
			logDir(t, db, 0, 40, 2000)
			logDir(t, db, 40, 42, 9<<20) // in parts
			archiver, reader := newUser(t, server, policies...), newUser(t, server, "reader")

			archiver.can(t, "backup", "--source", db, at)
			logDir(t, db, 42, 44, 300_000)
			archiver.can(t, "backup", "--source", db, at)
			archiver.can(t, "verify", "--read-data", at) // and keeps what it found
			archiver.can(t, "hold", at+"@latest")
			archiver.can(t, "release", at+"@latest")
			archiver.can(t, "drill", at)
			for _, u := range []user{archiver, reader} {
				u.can(t, "list", at)
				u.can(t, "verify", "--no-proof", at)
				u.can(t, "verify", "--no-proof", "--checksums", at)
				u.can(t, "verify", "--no-proof", "--read-data", at)
				to := filepath.Join(t.TempDir(), "restored")
				u.can(t, "restore", at, "--to", to)
				sameDir(t, to, db)
			}
			logDir(t, db, 44, 45, 2000)
			if o := reader.strongroom(t, "backup", "--source", db, at); o.code != exitFailed || !strings.Contains(o.stderr, "s3:PutObject") {
				t.Errorf("the reader's backup: exit code %d\n%s", o.code, o.stderr)
			}
			for _, u := range []user{archiver, reader} {
				u.deletesNothing(t)
				u.seesNothingElse(t)
			}
			if o := archiver.strongroom(t, "prune", "--keep-last", "1", at); o.code != exitFailed || !strings.Contains(o.stderr, "could not be deleted") {
				t.Errorf("the archiver's prune: exit code %d\n%s%s", o.code, o.stdout, o.stderr)
			}
			if name != "locks" {
				newUser(t, server, "archiver").can(t, "prune", "--keep-last", "1", at)
			}
			reader.can(t, "verify", "--no-proof", "--read-data", at)
			if name == "locks" {
				archiver.locksNotForEver(t)
			}
		})
	}
}

// With the policy that may delete, check deletes its test objects.
func TestPolicyThatMayDelete(t *testing.T) {
	t.Parallel()
	whole(t)
	for name, bucket := range map[string]func(*testing.T) *storetest.Server{
		"no versions": storetest.NewS3, "versions": storetest.NewS3Versions,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := bucket(t)
			newUser(t, server, "archiver").can(t, "check", "--quick", server.URL)
			if left := server.Keys(t, ""); len(left) != 0 {
				t.Errorf("%d objects are left, such as %s", len(left), left[0])
			}
			o := newUser(t, server, "archiver-no-delete").strongroom(t, "check", "--quick", server.URL)
			if o.code != 0 || len(server.Keys(t, "probe/")) == 0 {
				t.Errorf("without permission to delete: exit code %d\n%s%s", o.code, o.stdout, o.stderr)
			}
		})
	}
}

// deletesNothing tries to take away each object and each version.
func (u user) deletesNothing(t *testing.T) {
	t.Helper()
	client, n := u.client(t), 0
	all := s3.NewListObjectVersionsPaginator(u.Server.Client, &s3.ListObjectVersionsInput{Bucket: &u.Bucket})
	for all.HasMorePages() {
		page, err := all.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Versions {
			n++
			for _, id := range []*string{nil, v.VersionId} {
				_, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &u.Bucket, Key: v.Key, VersionId: id})
				denied(t, "deleting "+*v.Key, err)
			}
		}
	}
	if n == 0 {
		t.Error("there was nothing to delete")
	}
}

// seesNothingElse tries what lies beside the archive.
func (u user) seesNothingElse(t *testing.T) {
	t.Helper()
	client, other := u.client(t), sdk.String("orders/node-2/archive.json")
	if _, err := u.Server.Client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &u.Bucket, Key: other}); err != nil {
		t.Fatal(err)
	}
	_, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &u.Bucket, Key: other})
	denied(t, "reading another archive", err)
	_, err = client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &u.Bucket, Key: other})
	denied(t, "writing to another archive", err)
	for _, prefix := range []*string{nil, sdk.String("orders/"), sdk.String("orders/node-2/")} {
		_, err = client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &u.Bucket, Prefix: prefix})
		denied(t, "listing "+sdk.ToString(prefix), err)
	}
	_, err = client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &u.Bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended},
	})
	denied(t, "turning versions off", err)
}

// locksNotForEver tries what would cost the owner a hundred years of storage.
func (u user) locksNotForEver(t *testing.T) {
	t.Helper()
	lock := func(days int) error {
		until := time.Now().Add(time.Duration(days) * 24 * time.Hour)
		_, err := u.client(t).PutObjectRetention(t.Context(), &s3.PutObjectRetentionInput{
			Bucket: &u.Bucket, Key: sdk.String(u.Prefix + "archive.json"),
			Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionModeGovernance, RetainUntilDate: &until},
		})
		return err
	}
	denied(t, "locking for a century", lock(36500))
	if err := lock(35); err != nil {
		t.Errorf("locking for 35 days: %v", err)
	}
}

func denied(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("%s: %v, want to be denied", what, err)
	}
}
