package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const marker = "hunter2MARKER"

// addressesWithSecrets are forms of an archive's address in which a user may have written a secret.
var addressesWithSecrets = []string{
	"//k:" + marker + "@b", "//k:" + marker + "@b/p", "//k:" + marker + "@42", "k:" + marker + "@b", "k:" + marker + "@42",
	"s3:/k:" + marker + "@b", "s3//k:" + marker + "@b", "s3:k:" + marker + "@b", "/k:" + marker + "@b",
	"s3://k:" + marker + "@b", "s3://k:" + marker + "@latest", "s3://k:a/" + marker + "@b/p@q", "s3:///k:" + marker + "@b",
	"s3://b/k:" + marker + "@x", "s3://b/p/k%3A" + marker + "@x", "s3://b/k:a/" + marker + "@x", "s3://b:" + marker,
	"s3://b/p?token=" + marker, "s3://b/p?token=a@" + marker, "s3://b/p?" + marker, "s3://b/p?region=eu;token=" + marker,
	"s3://b/p?region=k:" + marker + "@x", "s3://b/p?endpoint=http://h:9?token=" + marker,
	"s3://b/p?endpoint=http%3A%2F%2Fh%3Ftoken%3D" + marker, "s3://b/p?endpoint=https://k:" + marker + "@h",
	"s3://b/p?endpoint=https://k:" + marker, "s3://b/p?endpoint=//k:" + marker + "@h", "s3://b/p#" + marker,
	"gs://b/p?endpoint=http://u:" + marker + "@h", "azblob://c/p?account=a&domain=u:" + marker + "@h&protocol=http",
	"azblob://c/p?sig=" + marker, "S3://K:" + marker + "@B", "https://u:" + marker + "@h/b", "nosuch://k:" + marker + "@b",
	"s3://b@" + marker, "s3://b@" + marker + "?region=eu", "s3://b/x@k:" + marker, "s3://b/x@k:a/" + marker, "gs://b@" + marker + "/x",
	"azblob://c@" + marker + "?account=a", "azblob://c/p?account=k:" + marker, "s3://b/p?use_path_style=" + marker, "b/x@k:" + marker,
	"k:" + marker + "://b", "file://b@" + marker + "/x", "http://k:" + marker + "@h/x",
	"file://k:" + marker + "@h/x", "file:///x?token=" + marker, "s3://b/%zz:" + marker + "@x", "s3://k:" + marker + "@[b",
}

// A secret may be in any argument of a command line, and a message that quotes it ends in a log or a ticket.
func TestNoCommandShowsASecretOfItsArguments(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("STRONGROOM_STATE_DIR", filepath.Join(dir, "state"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	if err := os.Mkdir("db", 0o755); err != nil {
		t.Fatal(err)
	}
	configuration := "archives:\n" + inDir("orders", "db", dir+"/archive", "")
	if err := os.WriteFile("strongroom.yaml", []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, address := range addressesWithSecrets {
		for _, command := range [][]string{
			{},
			{"backup"},
			{"backup", "--source", "db"},
			{"restore", "--to", "r"},
			{"restore", "--at", "-2h", "--to", "r"},
			{"hold"},
			{"prune"},
			{"copy", "orders", "--to"},
			{"drill"},
			{"confirm", "orders"},
			{"confirm"},
			{"completion"},
			{"inspect"},
			{"archived", "orders"},
			{"cat", "orders"},
			{"diff", "orders"},
			{"show", "--snapshot"},
			{"run", "--config"},
			{"list", "--bandwidth"},
			{"list", "--transfers"},
			{"list", "--log-level"},
			{"list", "--to"},
			{"copy", "orders", "--recipient", testRecipient, "--to"},
		} {
			showsNoSecret(t, append(command[:len(command):len(command)], address)...)
		}
	}
	for _, address := range []string{ // those that are refused before a request
		"s3://k:" + marker + "@b", "s3://b/p?token=" + marker, "//k:" + marker + "@b", "s3://b/p?region=eu;token=" + marker,
	} {
		for _, command := range []string{"list", "show", "verify", "check", "release"} {
			showsNoSecret(t, command, address)
			showsNoSecret(t, command, "--json", address)
		}
	}
}

func showsNoSecret(t *testing.T, args ...string) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(args, &out, &errs)
	if output := out.String() + errs.String(); strings.Contains(output, marker) || strings.Contains(strings.ToLower(output), strings.ToLower(marker)) {
		t.Errorf("%q (exit code %d): %s", args, code, output)
	}
}

// A destination in the configuration, with a secret in any place of it, is in no output of a command.
func TestNoCommandShowsASecretOfItsConfiguration(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("STRONGROOM_STATE_DIR", filepath.Join(dir, "state"))
	for _, address := range addressesWithSecrets {
		for _, quoted := range []string{address, `"` + address + `"`, "'" + address + "'", "[" + address + "]"} {
			text := "archives:\n  - name: orders\n    source: {dir: " + dir + "}\n    destination: " + quoted + "\n    nosuch: 1\n"
			if err := os.WriteFile("strongroom.yaml", []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			showsNoSecret(t, "list")
		}
	}
}

// The password of a proxy is not in the message about a proxy that is no URL.
func TestNoMessageShowsThePasswordOfAProxy(t *testing.T) {
	t.Setenv("STRONGROOM_STATE_DIR", t.TempDir())
	t.Setenv("AWS_ENDPOINT_URL", "https://k:"+marker+"@h")
	showsNoSecret(t, "list", "s3://bucket/p?region=eu&anonymous=true")
	t.Setenv("AWS_ENDPOINT_URL", "")
	t.Setenv("STORAGE_EMULATOR_HOST", "u:"+marker+"@h")
	showsNoSecret(t, "list", "gs://bucket/p")
}

// A credential of the environment is in no message either, whatever a library quotes.
func TestCredentialsAreReplaced(t *testing.T) {
	const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLE"
	for _, name := range credentials {
		t.Setenv(name, secret)
		var out bytes.Buffer
		text := `no access with "` + secret + `", as in ?sig=wJalrXUtnFEMI%2FK7MDENG%2BbPxRfiCYEXAMPLE`
		if _, err := withoutSecrets(&out, secretsOf(nil)).Write([]byte(text)); err != nil || strings.Contains(out.String(), "7MDENG") {
			t.Errorf("%s: %s, %v", name, &out, err)
		}
		t.Setenv(name, "")
	}
}

// What is not secret stays in messages: a user must recognize what was written. In s3://b/db:1@42, db:1 is a prefix with
// a colon, although it has the form of a user and a password: SECURITY.md states that.
func TestArgumentsWithoutSecretsAreShown(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{
		"orders", "orders@42", "orders@2026-11-22T23:00:00Z", "s3://b/db:1@42", "file:///a@b:c", "s3://b/p?region=eu-central-1@42",
		"s3://b/p?endpoint=http://h:9000@latest", "rollback:41-0a1b2c3d", "--at=2026-11-22 23:00", "s3://b/p?endpoint=http://[::1]:9000/x",
		"azblob://c/p?account=a&domain=127.0.0.1:10000&protocol=http&localemu=true",
	} {
		if s := secretsOf([]string{arg}); !slices.Equal(s, secretsOf(nil)) { // those of the environment
			t.Errorf("%s: %d secrets", arg, len(s))
		}
	}
}

// An ordinary proxy or endpoint changes no output: its port may be the number of files, and its user any word.
func TestOrdinaryProxiesChangeNoOutput(t *testing.T) {
	clearVariables(t)
	text := []byte(`{"files":3128,"bytes":9000,"address":"127.0.0.1:9000","error":"no backup of proxy:3128","user":"backup"}`)
	for _, value := range []string{
		"http://proxy:3128", "proxy:3128", "10.0.0.1:3128", "http://127.0.0.1:9000", "127.0.0.1:9000", "[::1]:9000",
		"http://[::1]:9000/x", "localhost", "http://backup@proxy:3128", "https://backup:" + marker + "@proxy:9000",
	} {
		for _, name := range secretVariables {
			t.Setenv(name, value)
			var out bytes.Buffer
			if _, err := withoutSecrets(&out, secretsOf(nil)).Write(text); err != nil || out.String() != string(text) {
				t.Errorf("%s=%s: %s, %v", name, value, &out, err)
			}
			t.Setenv(name, "")
		}
	}
}

// The password of a proxy or an endpoint is replaced, however it is written.
func TestPasswordsOfProxiesAreReplaced(t *testing.T) {
	clearVariables(t)
	for _, value := range []string{
		"http://backup:" + marker + "@proxy:3128", "backup:" + marker + "@proxy:3128", "http://u:a%2F" + marker + "@h",
		"http://u:a/" + marker + "@h", "http://u:12/" + marker + "@h", "http://u:" + marker, "http://h/?token=" + marker,
		"http://" + marker + "@h",
	} {
		t.Setenv("HTTPS_PROXY", value)
		for _, text := range []string{value, `parse "` + value + `"`, "%22" + value + "%22"} {
			var out bytes.Buffer
			if _, err := withoutSecrets(&out, secretsOf(nil)).Write([]byte(text)); err != nil || strings.Contains(out.String(), marker) {
				t.Errorf("%s: %s, %v", value, &out, err)
			}
		}
	}
}

// A secret is replaced as a whole, also if another one is a part of it, and no other word is.
func TestWholeSecretsAreReplaced(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		secrets    []string
		text, want string
	}{
		{[]string{"abcd", "abcd/efgh"}, "x abcd/efgh y", "x REDACTED y"},
		{[]string{"wxyz:abcd", "abcd:efgh"}, "wxyz:abcd:efgh", "REDACTED"},
		{[]string{"abcd"}, "abcde xabcd 1abcd abcd_ abcd", "abcde xabcd 1abcd abcd_ REDACTED"},
		{[]string{"abcd"}, `k%3Aabcd\nabcd "abcd"`, `k%3AREDACTED\nREDACTED "REDACTED"`},
		{[]string{"ab ab"}, "ab ab ab", "REDACTED"},
	} {
		var out bytes.Buffer
		if _, err := withoutSecrets(&out, c.secrets).Write([]byte(c.text)); err != nil || out.String() != c.want {
			t.Errorf("%q in %q: %q, %v", c.secrets, c.text, &out, err)
		}
	}
}

// A terminal keeps its progress bar if the environment has a password.
func TestATerminalStaysOne(t *testing.T) {
	t.Parallel()
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there are no terminals: %v", err)
	}
	defer f.Close()
	if terminalOf(withoutSecrets(f, []string{marker})) != f {
		t.Error("the terminal is no longer recognized")
	}
}

// The JSON on the standard output has the messages of errors, too. It stays valid.
func TestJSONWithoutSecrets(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := &app{stdout: &out, json: true, secrets: []string{marker, "1234"}}
	if err := a.print(map[string]any{"error": "no " + marker, "n": 1234}, nil); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Contains(text, marker) || !json.Valid(out.Bytes()) || !strings.Contains(text, "1234") {
		t.Errorf("%s", text)
	}
}

// clearVariables keeps the environment of the test run out of a test.
func clearVariables(t *testing.T) {
	t.Helper()
	for _, name := range secretVariables {
		t.Setenv(name, "")
	}
}
