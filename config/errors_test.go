package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestErrorText(t *testing.T) {
	t.Parallel()
	_, err := parse(`archives:
  - name: orders
    source: {dir: /var/lib/orders, layuot: je}
    destination: s3://AKIA:secret@backups/orders
    scheduel: "@daily"
    compression: lz4
`)
	const want = `strongroom.yaml:3:36: unknown key "layuot" in source; the nearest valid key is layout
    3 |     source: {dir: /var/lib/orders, layuot: je}
      |                                    ^
strongroom.yaml:4:18: destination has credentials in it (before the @); remove them: they come from the environment, shared files or the workload's identity
    4 |     destination: s3://REDACTED
      |                  ^
strongroom.yaml:5:5: unknown key "scheduel" in an archive; the nearest valid key is schedule
    5 |     scheduel: "@daily"
      |     ^
strongroom.yaml:6:18: compression cannot be "lz4"; use none, zstd, or zstd with a level: zstd:fastest (the same as zstd), zstd:normal, zstd:better, zstd:best
    6 |     compression: lz4
      |                  ^`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nnot\n%s", err, want)
	}
}

// Each is a whole file with one problem.
func TestProblems(t *testing.T) {
	t.Parallel()
	archive := func(s string) string { return minimal("", s) }
	source := func(s string) string { return minimal(s, "") }
	tests := []struct{ yaml, at, message string }{
		{"", "0:0", "it is empty"},
		{"# nothing\n", "0:0", "it is empty"},
		{"---\n", "0:0", "it is empty"},
		{"- a\n", "1:1", "this is a list; write keys"},
		{"x\n", "1:1", "this is a text"},
		{"state_dir: /x\n", "1:1", "archives is missing"},
		{"archives:\n", "1:11", "archives must be a list"},
		{"archives: []\n", "1:11", "archives is empty"},
		{"archives: {name: x}\n", "1:11", "archives must be a list"},
		{"archives:\n  - orders\n", "2:5", "this is a text; write keys"},
		{archive("") + "---\n" + archive(""), "7:9", "a second document"},
		{"%YAML 1.2\n---\n" + archive(""), "1:1", "directives"},
		{archive("name: x"), "6:5", `the key "name" occurs twice, first in line 2`},
		{archive("jitter: &x 1s"), "6:13", "anchors, aliases"},
		{archive("jitter: *x"), "6:13", "anchors, aliases"},
		{archive("<<: {jitter: 1s}"), "6:5", "anchors, aliases"},
		{archive("jitter: !!str 1s"), "6:13", "tags"},
		{archive("? jitter\n: 1s"), "6:5", "this is of the wrong kind; keys are plain words"},
		{archive("1: 2"), "6:5", "this is a number; keys are plain words"},
		{archive("jitter: '1s"), "6:13", "not valid YAML"},
		{archive("time_zone: [${N}]"), "6:18", "put a value that holds ${…} in quotes"},
		{archive("jitter:"), "6:13", "jitter: there is no value"},
		{archive("node: 7"), "6:11", "node: this is a number; a text is needed: put it in quotes"},
		{archive("node: true"), "6:11", "put it in quotes"},
		{archive("node: [a]"), "6:11", "this is a list; a text is needed"},
		{archive("node: |\n  x"), "6:11", "this is a block of text; a text is needed"},
		{archive("node: ''"), "6:11", "node is empty"},
		{archive("node: ${EMPTY}"), "6:11", "node is empty"},
		{archive("node: \"a\\u001b\""), "6:11", "control character"},
		{archive("node: ${NOPE}"), "6:11", "the environment variable NOPE is not set"},
		{archive("node: a${N"), "6:11", "${ starts a variable"},
		{archive("node: ${A-B}"), "6:11", "${ starts a variable"},
		{archive("jitter: 30"), "6:13", "jitter lacks its unit"},
		{archive("jitter: soon"), "6:13", `jitter: "soon" is no duration`},
		{archive("jitter: -5s"), "6:13", `jitter: "-5s" is no duration`},
		{archive("transfers: 0"), "6:16", "transfers must be a whole number from 1 to 256"},
		{archive("transfers: 257"), "6:16", "transfers must be"},
		{archive("transfers: 0x10"), "6:16", "transfers must be"},
		{archive("transfers: 08"), "6:16", "transfers must be"},
		{archive("transfers: 1.5"), "6:16", "transfers must be"},
		{archive("transfers: '8'"), "6:16", "transfers must be"},
		{archive("transfers: ${BUCKET}"), "6:16", "transfers must be"},
		{archive("transfers: ${NOPE}"), "6:16", "transfers: the environment variable NOPE"},
		{archive("time_zone: Mars/Olympus"), "6:16", `the time zone "Mars/Olympus" is not known`},
		{archive("time_zone: ../../etc/passwd"), "6:16", "is not known"},
		{archive("schedule: '61 * * * *'"), "6:15", `the schedule "61 * * * *": end of range (61) above maximum (59)`},
		{archive("schedule: '@close 5m'"), "6:15", "@close 5m"},
		{archive("verify: {}"), "6:13", "schedule is missing"},
		{archive("verify: {schedule: '@close'}"), "6:24", "verify cannot be scheduled @close"},
		{archive("verify: {schedule: '@daily', sample: 2}"), "6:42", "sample: this is a number"},
		{archive("verify: {schedule: '@daily', sample: 200%}"), "6:42", `"200%" is no percentage`},
		{archive("notify: https://hc.example.org/x"), "6:13", "notify: this is a text; write a list"},
		{archive("notify: [https://hc.example.org/x, secret]"), "6:5", "entry 2 is not a URL"},
		{archive("notify: [7]"), "6:14", "notify: this is a number"},
		{source("before: x\ncommand_timeout: 0s"), "6:24", "command_timeout must be greater than 0"},
		{source("command_timeout: 1m"), "5:7", "no effect without before or after"},
		{archive("") + "http: {listen: localhost}\n", "6:16", `listen cannot be "localhost"; write host:port`},
		{archive("") + "http: {listen: 'x:99999'}\n", "6:16", "listen cannot be"},
		{archive("") + "http: {token_file: x}\n", "6:20", "token_file must be an absolute path"},
		{archive("") + "http: {cert_file: /x}\n", "6:8", "cert_file has no effect without key_file; add it"},
		{archive("") + "http: {key_file: /x}\n", "6:8", "key_file has no effect without cert_file; add it"},
		{archive("notify_after: 30"), "6:19", "notify_after lacks its unit"},
		{archive("") + "http: {hosts: ['https://x']}\n", "6:15", "is not a host name"},
		{archive("bandwidth: 20"), "6:16", "bandwidth: this is a number; a text is needed"},
		{archive("bandwidth: 20MiB"), "6:16", `"20MiB" is no rate, such as 20MiB/s`},
		{archive("bandwidth: 1B/s"), "6:16", "too slow: requests would time out; the least is 16KiB/s"},
		{archive("bandwidth: 99999999999GiB/s"), "6:16", "write unlimited"},
		{archive("bandwidth: []"), "6:16", "bandwidth is an empty list"},
		{archive("bandwidth: [{hours: 08:00-18:00}]"), "6:18", "rate is missing"},
		{archive("bandwidth: [{hours: 8-18, rate: 1MiB/s}]"), "6:25", `hours cannot be "8-18"; write from and to`},
		{archive("bandwidth: [{rate: 1MiB/s, when: now}]"), "6:32", `unknown key "when" in bandwidth`},
		{archive("schedule: '0 0 30 2 *'"), "6:15", "has no time: no month has that day"},
		{archive("schedule: '@every 5'"), "6:15", "lacks a unit"},
		{archive("dir: /x"), "6:5", "the key dir belongs in the source"},
		{archive("x: y"), "6:5", `unknown key "x" in an archive; the valid keys are name,`},
		{archive("compression: gzip"), "6:18", `compression cannot be "gzip"; use none, zstd`},
		{archive("compression: zstd:19"), "6:18", "zstd:best"},
		{archive("compression: none:fastest"), "6:18", "use none, zstd"},
		{archive("encryption: {}"), "6:17", "recipients is missing"},
		{archive("encryption: {recipients: []}"), "6:30", "recipients is empty"},
		{archive("encryption: {recipients: [age1nonsense]}"), "6:30", "recipient 1: this is no age public key"},
		{archive("destinations: [file:///a]"), "5:5", "destination and destinations are both set"},
		{archive("drill: {}"), "6:12", "drill is empty"},
		{archive("drill: {schedule: '@close'}"), "6:23", "drill cannot be scheduled @close"},
		{archive("drill: {schedule: '@daily', timeout: 5m}"), "6:33", "timeout has no effect without command"},
		{archive("drill: {command: x, scratch: here}"), "6:34", "must be an absolute path"},
		{archive("retention: {last: 0}"), "6:23", "last must be a whole number from 1"},
		{archive("retention: {schedule: '@weekly'}"), "6:16", "retention has no rule"},
		{archive("retention: {prune_limit: 30%}"), "6:16", "retention has no rule"},
		{archive("retention: {last: 3, prune_limit: 0}"), "6:39", "prune_limit cannot be \"0\""},
		{archive("retention: {last: 3, prune_limit: 200%}"), "6:39", "a percentage from 1% to 100%"},
		{archive("retention: {last: 3, prune_limit: often}"), "6:39", "or off"},
		{archive("retention: {last: 3, prune_limit: [1]}"), "6:39", "this is a list"},
		{archive("retention: {last: 3, schedule: '@close'}"), "6:36", "retention cannot be scheduled @close"},
		{archive("retention: {last: 3, schedule: never}"), "6:36", "or off, to disable scheduled prunes"},
		{archive("retention: {within: 0s}"), "6:25", "within must be greater than 0"},
		{archive("retention: {keep_last: 3}"), "6:17", "unknown key \"keep_last\""},
		{archive("retentoin: {last: 3}"), "6:5", "nearest valid key is retention"},
		{source("schedule: '@daily'"), "5:7", "the key schedule belongs in the archive"},
		{source("layout: jee"), "5:15", `layout cannot be "jee"; use one of je, noxu, bdb, segments, files; the nearest is je`},
		{source("pattern: x"), "5:7", "layout (detected) has no pattern"},
		{source("layout: je\nquiet: 1s"), "6:7", "layout je has no quiet"},
		{source("layout: bdb\nbase: 10"), "6:7", "layout bdb has no base"},
		{source("layout: bdb\ntail: include"), "6:7", "layout bdb has no tail"},
		{source("layout: files\npattern: x\nclosed: quiet"), "7:7", "layout files has no closed"},
		{source("layout: files"), "4:7", "pattern is missing"},
		{source("layout: segments"), "4:7", "pattern is missing"},
		{source("layout: segments\npattern: 'a('"), "6:16", "missing closing )"},
		{source("layout: segments\npattern: a"), "6:16", "pattern has 0 groups"},
		{source("layout: segments\npattern: (a)(b)"), "6:16", "pattern has 2 groups"},
		{source("layout: segments\npattern: (a)\nbase: 12"), "7:13", "base must be 10 or 16"},
		{source("layout: segments\npattern: (a)\nquiet: 1m"), "7:7", "quiet has no effect"},
		{source("layout: segments\npattern: (a)\nquiet: 0s"), "7:7", "quiet has no effect"},
		{source("layout: je\nquiet: 0s"), "6:7", "layout je has no quiet"},
		{"archives: [{name: a, destination: 'file:///x'}]", "1:13", "source is missing"},
		{"archives: [{name: a, source: {tail: exclude}, destination: 'file:///x'}]", "1:31", "dir is missing"},
		{"archives: [{source: {dir: /x}, destination: 'file:///x'}]", "1:13", "name is missing"},
		{"archives: [{name: a, source: {dir: /x}}]", "1:13", "destination is missing"},
		{"archives: [{name: a, source: {dir: x}, destination: 'file:///x'}]", "1:36", "dir must be an absolute path"},
		{"archives: [{name: a/b, source: {dir: /x}, destination: 'file:///x'}]", "1:19", `the name "a/b"`},
		{"archives: [{name: .., source: {dir: /x}, destination: 'file:///x'}]", "1:19", `the name ".."`},
		{"archives: [{name: a, source: {dir: /x}, destination: /x}]", "1:54", "destination is not a URL"},
		{"archives: [{name: a, source: {dir: /x}, destination: 's3:x'}]", "1:54", "destination is not a URL"},
		{"archives: [{name: a, source: {dir: /x}, destination: 's3://x#y'}]", "1:54", "destination has a #"},
		{archive("") + "state_dir: x\n", "6:12", "state_dir must be an absolute path"},
		{archive("") + "defaults: {name: x}\n", "6:12", "defaults cannot have name"},
		{archive("") + "defaults: {layout: je}\n", "6:12", "the key layout belongs in the source"},
		{archive("") + "defaults: {drill: x}\n", "6:19", "this is a text"},
		{archive("") + "  - {name: orders, source: {dir: /x}, destination: 'file:///x'}\n", "6:12", "the same name, the first in line 2"},
		{archive("") + "  - {name: b, source: {dir: /x}, destination: 'file:///backup'}\n", "6:47", "the same destination, the first in line 5"},
		{archive("node: \xff"), "6:1", "not UTF-8"},
		{"archives: [{name: a, source: {dir: /ü€😀, layuot: je}, destination: 'file:///x'}]", "1:42", `unknown key "layuot"`},
	}
	for _, test := range tests {
		p := problems(t, test.yaml)
		if at := fmt.Sprintf("%d:%d", p[0].Line, p[0].Column); len(p) != 1 || at != test.at || !strings.Contains(p[0].Message, test.message) {
			t.Errorf("%s\ngot %+v\nnot %s at %s", test.yaml, p, test.message, test.at)
		}
	}
}

// No form of a URL with credentials, broken or not, shows them.
func TestNoCredentialsInErrors(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"s3://key:secret@b/x", "s3://key:sec/secret@b/x", "s3://key:secret@[b/x", "s3://key:%zzsecret@b", "s3://a b:secret@b",
		"s3://${LOGIN}@b/x", "https://secret@b/x",
	} {
		_, err := parse("archives: [{name: a, source: {dir: /x}, destination: \"" + url + "\"}]")
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestLongAndManyErrors(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 500)
	_, err := parse(minimal("", "node: [\""+long+"\", {"+long+": \x1b[31m}]\n"))
	if err == nil || len(err.Error()) > 600 || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("got %v", err)
	}
	var b strings.Builder
	for i := range 50 {
		fmt.Fprintf(&b, "zzz%d: 1\n", i)
	}
	_, err = parse(minimal("", b.String()))
	if err == nil || !strings.HasSuffix(err.Error(), "strongroom.yaml: and 40 more") {
		t.Errorf("got %v", err)
	}
}

func ExampleError() {
	_, err := Parse("strongroom.yaml", []byte("archives:\n  - nmae: orders\n    source: {dir: /var/lib/orders}\n"), os.LookupEnv)
	fmt.Println(err)
	// Output:
	// strongroom.yaml:2:5: unknown key "nmae" in an archive; the nearest valid key is name
	//     2 |   - nmae: orders
	//       |     ^
	// strongroom.yaml:2:5: destination is missing; add it, as in destination: s3://bucket/orders?region=eu-central-1
	//     2 |   - nmae: orders
	//       |     ^
}

// Notification targets are secrets as a whole, and are part of lines that may be shown.
func TestTargetsAreNotShown(t *testing.T) {
	t.Parallel()
	for _, yaml := range []string{
		minimal("", "notify: [https://hc.example.org/hunter2, hunter2]"),
		minimal("", "notify: hunter2"),
		minimal("", "notify:\n  - slack://hunter2\n  - {x: 'telegram://hunter2'}"),
		minimal("", "notify: [slack://hunter2, &x y]"),
		minimal("", "notify: ['slack://hunter2"),
	} {
		_, err := Parse("strongroom.yaml", []byte(yaml), func(string) (string, bool) { return "", false })
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s\n%v", yaml, err)
		}
	}
}
