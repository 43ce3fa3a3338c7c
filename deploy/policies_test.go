package deploy

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// iamPolicy is a document of AWS IAM, as in deploy/policies/aws.
type iamPolicy struct {
	Version   string
	Statement []struct {
		Sid       string
		Effect    string
		Action    []string
		Resource  string
		Condition map[string]map[string]string
	}
}

// strictly decodes what may hold nothing else.
func strictly(t *testing.T, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(path) == ".yaml" {
		err = yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(into)
	} else {
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		err = d.Decode(into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// actions are those of a policy, each once and each allowed on what it is for: the objects
// below the example's prefix, or the bucket.
func actions(t *testing.T, path string) []string {
	t.Helper()
	const bucket = "arn:aws:s3:::backups"
	var p iamPolicy
	strictly(t, path, &p)
	if p.Version != "2012-10-17" {
		t.Errorf("%s: version %q", path, p.Version)
	}
	var all []string
	for _, s := range p.Statement {
		if s.Effect == "Deny" && s.Condition["NumericGreaterThan"]["s3:object-lock-remaining-retention-days"] != "" {
			continue // locks end: the only thing that is forbidden expressly
		}
		if s.Effect != "Allow" {
			t.Errorf("%s: %s has the effect %q", path, s.Sid, s.Effect)
		}
		for _, a := range s.Action {
			want := bucket + "/orders/node-1/*"
			if strings.Contains(a, "Bucket") {
				want = bucket
			}
			if s.Resource != want {
				t.Errorf("%s: %s on %s, want on %s", path, a, s.Resource, want)
			}
			if slices.Contains(all, a) {
				t.Errorf("%s: %s is there twice", path, a)
			}
			lists := a == "s3:ListBucket" || a == "s3:ListBucketVersions"
			if lists != (s.Condition["StringLike"]["s3:prefix"] == "orders/node-1/*") {
				t.Errorf("%s: %s under the condition %v", path, a, s.Condition)
			}
			all = append(all, a)
		}
	}
	return all
}

// s3Needs are the permissions that each request of the S3 adapter needs, by the service's
// reference.
var s3Needs = map[string][]string{
	"AbortMultipartUpload":    {"s3:AbortMultipartUpload"},
	"CompleteMultipartUpload": {"s3:PutObject"},
	"CreateMultipartUpload":   {"s3:PutObject"},
	"DeleteObjects":           {"s3:DeleteObject", "s3:DeleteObjectVersion"},
	"GetBucketVersioning":     {"s3:GetBucketVersioning"},
	"GetObject":               {"s3:GetObject", "s3:GetObjectVersion"},
	"GetObjectLegalHold":      {"s3:GetObjectLegalHold"},
	"GetObjectRetention":      {"s3:GetObjectRetention"},
	"HeadBucket":              {"s3:ListBucket"},
	"HeadObject":              {"s3:GetObject", "s3:GetObjectVersion"},
	"ListMultipartUploads":    {"s3:ListBucketMultipartUploads"},
	"ListObjectVersions":      {"s3:ListBucketVersions"},
	"ListObjectsV2":           {"s3:ListBucket"},
	"PutObject":               {"s3:PutObject"},
	"PutObjectLegalHold":      {"s3:PutObjectLegalHold"},
	"PutObjectRetention":      {"s3:PutObjectRetention"},
	"RestoreObject":           {"s3:RestoreObject"},
	"UploadPart":              {"s3:PutObject"},
}

// s3Requests are those that the adapter sends, read from its source.
func s3Requests(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../providers/s3/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("the S3 adapter is not there: %v", err)
	}
	input := regexp.MustCompile(`\bs3\.([A-Z]\w+)Input\b`)
	var all []string
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range input.FindAllStringSubmatch(string(b), -1) {
			all = append(all, m[1])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// thaw is in no policy: a thaw costs, and only who restores a cold copy needs it. docs/providers.md names it.
const thaw = "s3:RestoreObject"

// The policies of AWS allow every request that the adapter sends but one, and nothing else.
func TestS3Policies(t *testing.T) {
	t.Parallel()
	var need []string
	for _, r := range s3Requests(t) {
		permissions, known := s3Needs[r]
		if !known {
			t.Errorf("the adapter sends %s: add the permissions for it here and in deploy/policies/aws", r)
		}
		need = append(need, permissions...)
	}
	slices.Sort(need)
	need = slices.Compact(need)
	archiver, noDelete := actions(t, "policies/aws/archiver.json"), actions(t, "policies/aws/archiver-no-delete.json")
	if b, err := os.ReadFile("../docs/providers.md"); err != nil || !strings.Contains(string(b), thaw) {
		t.Errorf("docs/providers.md does not name %s (%v)", thaw, err)
	}
	reader, lock := actions(t, "policies/aws/reader.json"), actions(t, "policies/aws/lock.json")

	all := slices.Concat(archiver, lock, []string{thaw})
	slices.Sort(all)
	if !slices.Equal(all, need) {
		t.Errorf("archiver.json and lock.json allow\n%q, the adapter needs\n%q", all, need)
	}
	isDelete := func(a string) bool { return strings.HasPrefix(a, "s3:Delete") }
	if want := slices.DeleteFunc(slices.Clone(archiver), isDelete); !slices.Equal(noDelete, want) {
		t.Errorf("archiver-no-delete.json allows %q, want %q", noDelete, want)
	}
	for _, a := range reader {
		if !slices.Contains(noDelete, a) || !strings.HasPrefix(a, "s3:Get") && !strings.HasPrefix(a, "s3:List") {
			t.Errorf("reader.json allows %s", a)
		}
	}
}

// The roles for Google Cloud and Azure: a reader can only read, and a writer without the right to
// delete cannot delete.
func TestCloudRoles(t *testing.T) {
	t.Parallel()
	const blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/"
	for name, want := range map[string]struct{ google, azure []string }{
		"reader":             {[]string{"get", "list"}, []string{"read"}},
		"archiver-no-delete": {[]string{"get", "list", "create"}, []string{"read", "write"}},
		"archiver":           {[]string{"get", "list", "create", "delete"}, []string{"read", "write", "delete"}},
	} {
		var google struct {
			Title, Description, Stage string
			IncludedPermissions       []string `yaml:"includedPermissions"`
		}
		strictly(t, "policies/google/"+name+".yaml", &google)
		if google.Title == "" || google.Stage != "GA" || !slices.Equal(google.IncludedPermissions, prefixed("storage.objects.", want.google)) {
			t.Errorf("google/%s.yaml is %+v", name, google)
		}
		var azure struct {
			Name, Description                                                  string
			IsCustom                                                           bool
			Actions, NotActions, DataActions, NotDataActions, AssignableScopes []string
		}
		strictly(t, "policies/azure/"+name+".json", &azure)
		if azure.Name != google.Title || !azure.IsCustom || len(azure.Actions) != 0 || len(azure.AssignableScopes) != 1 ||
			!slices.Equal(azure.DataActions, prefixed(blobs, want.azure)) {
			t.Errorf("azure/%s.json is %+v", name, azure)
		}
	}
}

func prefixed(prefix string, names []string) []string {
	var out []string
	for _, n := range names {
		out = append(out, prefix+n)
	}
	return out
}

// The lifecycle rule expires nothing but interrupted uploads.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	var l struct {
		Rules []struct {
			ID, Status                     string
			Filter                         struct{ Prefix *string }
			AbortIncompleteMultipartUpload struct{ DaysAfterInitiation int }
		}
	}
	strictly(t, "policies/aws/lifecycle.json", &l)
	if len(l.Rules) != 1 || l.Rules[0].Status != "Enabled" || l.Rules[0].Filter.Prefix == nil || l.Rules[0].AbortIncompleteMultipartUpload.DaysAfterInitiation != 7 {
		t.Errorf("the rule is %+v", l)
	}
}
