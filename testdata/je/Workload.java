import com.sleepycat.je.CheckpointConfig;
import com.sleepycat.je.Cursor;
import com.sleepycat.je.Database;
import com.sleepycat.je.DatabaseConfig;
import com.sleepycat.je.DatabaseEntry;
import com.sleepycat.je.DatabaseException;
import com.sleepycat.je.Environment;
import com.sleepycat.je.EnvironmentConfig;
import com.sleepycat.je.LockMode;
import com.sleepycat.je.OperationStatus;
import com.sleepycat.je.Transaction;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;

/**
 * Runs operations on a real Berkeley DB Java Edition environment, for tests. Needs the Debian
 * package libdb-je-java (JE 3.3) and a Java 17 runtime with its compiler:
 *
 * <pre>java -cp /usr/share/java/db-je.jar testdata/je/Workload.java COMMAND DIR ...
 *
 *   write DIR RECORDS SEED   adds records in transactions, with updates and deletions among
 *                            them; then checkpoints and closes. The cleaner is off
 *   crash DIR RECORDS SEED   the same, but halts the process without closing anything
 *   churn DIR SEED [RATE]    overwrites records at random, with the cleaner deleting log
 *                            files, until standard input ends; repeatedly prints
 *                            "committed=N". Continues with the next operation of an existing
 *                            environment. RATE limits the operations per second
 *   check DIR SEED           opens the environment of a churn with that seed, or a copy of its
 *                            log, finds the number N of its last operation, and compares all
 *                            records with those after N operations; prints "operations=N"
 *   checks - SEED            the same for each directory in the lines of standard input;
 *                            prints one line for each: "operations=N", "contradiction=WHY" or
 *                            "unreadable=WHY"
 *   count DIR                opens the environment and reads everything
 *   serve -                  runs the commands in the lines of standard input, words between
 *                            tabs; prints one line for each: "ok" or "failed", a tab, and
 *                            the command's output, or the reason of the failure
 * </pre>
 *
 * All commands except check, checks and serve end with a line "records=N sha256=HEX" for the
 * records of all databases. Opening an environment runs recovery and appends to the log, as the
 * database itself does. The process exits with 1 if the environment does not open or a check fails.
 */
public class Workload {
    static final int CHURN_KEYS = 12000;
    static final int FILE_BYTES = 1_000_000; // JE's minimum: tests need many log files

    public static void main(String[] args) throws Exception {
        try {
            run(args);
        } catch (DatabaseException | IllegalStateException e) {
            System.out.println("failed: " + e);
            System.exit(1);
        }
    }

    static void run(String[] args) throws Exception {
        if (args.length < 2) throw new IllegalArgumentException("usage: write|crash|churn|check|checks|count DIR ...");
        File dir = new File(args[1]);
        switch (args[0]) {
            case "write": write(dir, Integer.parseInt(args[2]), Long.parseLong(args[3]), false); break;
            case "crash": write(dir, Integer.parseInt(args[2]), Long.parseLong(args[3]), true); break;
            case "churn": churn(dir, Long.parseLong(args[2]), args.length > 3 ? Long.parseLong(args[3]) : 0); break;
            case "check": System.out.println("operations=" + check(dir, Long.parseLong(args[2]))); break;
            case "checks": checks(Long.parseLong(args[2])); break;
            case "count": count(dir); break;
            case "serve": serve(); break;
            default: throw new IllegalArgumentException("no such command: " + args[0]);
        }
    }

    static Environment open(File dir, boolean create, boolean cleaner) throws DatabaseException {
        EnvironmentConfig c = new EnvironmentConfig();
        c.setAllowCreate(create);
        c.setTransactional(true);
        c.setTxnWriteNoSync(true); // a commit reaches the operating system; tests need no fsync
        c.setConfigParam("je.log.fileMax", String.valueOf(FILE_BYTES));
        c.setConfigParam("je.env.runCleaner", String.valueOf(cleaner));
        c.setConfigParam("je.cleaner.minUtilization", "75");
        c.setConfigParam("je.cleaner.bytesInterval", String.valueOf(FILE_BYTES));
        c.setConfigParam("je.checkpointer.bytesInterval", String.valueOf(4 * FILE_BYTES));
        if (create) dir.mkdirs();
        return new Environment(dir, c);
    }

    static Database database(Environment env, String name, boolean create) throws DatabaseException {
        DatabaseConfig c = new DatabaseConfig();
        c.setAllowCreate(create);
        c.setTransactional(true);
        return env.openDatabase(null, name, c);
    }

    static DatabaseEntry key(String format, long n) {
        return new DatabaseEntry(String.format(format, n).getBytes(StandardCharsets.UTF_8));
    }

    /** Runs many commands in one process, since most of a command's time is the start of Java. */
    static void serve() throws IOException {
        PrintStream answers = System.out;
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String command; (command = commands.readLine()) != null; ) {
            ByteArrayOutputStream printed = new ByteArrayOutputStream();
            System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
            String answer;
            try {
                run(command.split("\t"));
                answer = "ok\t" + printed.toString(StandardCharsets.UTF_8);
            } catch (Exception e) { // JE reports a damaged log by exceptions of many types
                answer = "failed\t" + printed.toString(StandardCharsets.UTF_8) + e;
            }
            answers.println(answer.strip().replace('\n', ' ').replace('\r', ' '));
            answers.flush();
        }
    }

    static void write(File dir, int records, long seed, boolean crash) throws Exception {
        Environment env = open(dir, true, false);
        Database db = database(env, "records", true);
        long first = next(db);
        Random random = new Random(seed);
        byte[] value = new byte[60];
        for (long i = first; i < first + records; ) {
            Transaction t = env.beginTransaction(null, null);
            for (int j = 0; j < 100 && i < first + records; j++, i++) {
                random.nextBytes(value);
                db.put(t, key("key%010d", i), new DatabaseEntry(value.clone()));
                if (i % 5 == 4) db.put(t, key("key%010d", (long) (random.nextDouble() * i)), new DatabaseEntry(("updated-" + i).getBytes()));
                if (i % 11 == 10) db.delete(t, key("key%010d", (long) (random.nextDouble() * i)));
            }
            t.commit();
        }
        report(env, db);
        System.out.flush();
        if (crash) Runtime.getRuntime().halt(0);
        db.close();
        checkpoint(env);
        env.close();
    }

    /** Returns the last key's number plus one. */
    static long next(Database db) throws DatabaseException {
        Cursor c = db.openCursor(null, null);
        DatabaseEntry k = new DatabaseEntry();
        boolean found = c.getLast(k, new DatabaseEntry(), LockMode.DEFAULT) == OperationStatus.SUCCESS;
        c.close();
        return found ? Long.parseLong(new String(k.getData(), StandardCharsets.UTF_8).substring(3)) + 1 : 0;
    }

    static void checkpoint(Environment env) throws DatabaseException {
        CheckpointConfig c = new CheckpointConfig();
        c.setForce(true);
        env.checkpoint(c);
    }

    // Churn. One thread executes the operations 1, 2, … Operation n puts value(seed, n) under key(seed, n), in its
    // own
    // transaction. So every state is that after some number of operations, and can be checked for completeness.

    static long keyOf(long seed, long n) {
        long x = (seed + n) * 0x9E3779B97F4A7C15L;
        x = (x ^ (x >>> 30)) * 0xBF58476D1CE4E5B9L;
        x = (x ^ (x >>> 27)) * 0x94D049BB133111EBL;
        return Long.remainderUnsigned(x ^ (x >>> 31), CHURN_KEYS);
    }

    static byte[] valueOf(long seed, long n) {
        byte[] v = new byte[200];
        new Random(seed ^ n).nextBytes(v);
        ByteBuffer.wrap(v).putLong(0, n);
        return v;
    }

    static void churn(File dir, long seed, long rate) throws Exception {
        Environment env = open(dir, true, true);
        Database db = database(env, "churn", true);
        long first = operations(db), n = first, start = System.nanoTime();
        Thread input = new Thread(Workload::awaitEnd);
        input.setDaemon(true);
        input.start();
        while (input.isAlive()) {
            for (int i = 0; i < 100; i++) {
                n++;
                db.put(null, key("k%06d", keyOf(seed, n)), new DatabaseEntry(valueOf(seed, n)));
            }
            System.out.println("committed=" + n);
            if (n % 5000 == 0) { // more often than the cleaner's own thread
                while (env.cleanLog() > 0) { }
                checkpoint(env);
            }
            if (rate > 0) {
                long early = (n - first) * 1_000_000_000 / rate - (System.nanoTime() - start);
                if (early > 0) Thread.sleep(early / 1_000_000, (int) (early % 1_000_000));
            }
        }
        report(env, db);
        db.close();
        env.close();
    }

    /** Returns when standard input ends, also by the end of the parent process. */
    static void awaitEnd() {
        try {
            while (System.in.read() >= 0) { }
        } catch (IOException e) {
            // counts as the end
        }
    }

    /** Returns the number of the last operation in db, or 0 if there is none. */
    static long operations(Database db) throws DatabaseException {
        long last = 0;
        for (byte[] v : contents(db).values()) last = Math.max(last, ByteBuffer.wrap(v).getLong(0));
        return last;
    }

    static Map<String, byte[]> contents(Database db) throws DatabaseException {
        Map<String, byte[]> all = new HashMap<>();
        Cursor c = db.openCursor(null, null);
        try {
            DatabaseEntry k = new DatabaseEntry(), v = new DatabaseEntry();
            while (c.getNext(k, v, LockMode.DEFAULT) == OperationStatus.SUCCESS) {
                all.put(new String(k.getData(), StandardCharsets.UTF_8), v.getData());
            }
        } finally {
            c.close();
        }
        return all;
    }

    /** Returns the number of the last operation. */
    static long check(File dir, long seed) throws Exception {
        Environment env = open(dir, false, false);
        try {
            Database db = database(env, "churn", false);
            try {
                return check(contents(db), seed);
            } finally {
                db.close();
            }
        } finally {
            env.close();
        }
    }

    static long check(Map<String, byte[]> have, long seed) {
        long last = 0;
        for (byte[] v : have.values()) last = Math.max(last, ByteBuffer.wrap(v).getLong(0));
        long[] want = new long[CHURN_KEYS]; // the last operation on each key
        int keys = 0;
        for (long n = 1; n <= last; n++) {
            int k = (int) keyOf(seed, n);
            if (want[k] == 0) keys++;
            want[k] = n;
        }
        for (int k = 0; k < CHURN_KEYS; k++) {
            byte[] v = have.get(String.format("k%06d", k));
            if (want[k] == 0 ? v != null : !Arrays.equals(v, valueOf(seed, want[k]))) {
                throw new IllegalStateException(String.format("k%06d", k) + " has "
                        + (v == null ? "no value" : "the value of operation " + ByteBuffer.wrap(v).getLong(0))
                        + ", not that of operation " + want[k] + ", after " + last + " operations");
            }
        }
        if (have.size() != keys) throw new IllegalStateException(have.size() + " records instead of " + keys + " after " + last + " operations");
        return last;
    }

    static void checks(long seed) throws IOException {
        BufferedReader dirs = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String dir; (dir = dirs.readLine()) != null; ) {
            String answer;
            try {
                answer = "operations=" + check(new File(dir), seed);
            } catch (IllegalStateException e) {
                answer = "contradiction=" + e.getMessage();
            } catch (Exception e) { // JE reports a damaged log by exceptions of many types
                answer = "unreadable=" + e;
            }
            System.out.println(answer.replaceAll("\\s+", " "));
        }
    }

    static void count(File dir) throws Exception {
        Environment env = open(dir, false, false);
        try {
            report(env, null);
        } finally {
            env.close(); // also after a failure, with cursors and databases still open
        }
    }

    /** Prints the number of records, and a digest of all records with their databases' names. */
    static void report(Environment env, Database open) throws Exception {
        MessageDigest sha = MessageDigest.getInstance("SHA-256");
        long records = 0;
        for (Object name : new TreeSet<Object>(env.getDatabaseNames())) {
            feed(sha, name.toString().getBytes(StandardCharsets.UTF_8));
            boolean ours = open != null && open.getDatabaseName().equals(name);
            Database db = ours ? open : database(env, name.toString(), false);
            Cursor c = db.openCursor(null, null);
            DatabaseEntry k = new DatabaseEntry(), v = new DatabaseEntry();
            while (c.getNext(k, v, LockMode.DEFAULT) == OperationStatus.SUCCESS) {
                feed(sha, k.getData());
                feed(sha, v.getData());
                records++;
            }
            c.close();
            if (!ours) db.close();
        }
        StringBuilder hex = new StringBuilder();
        for (byte b : sha.digest()) hex.append(String.format("%02x", b));
        System.out.println("records=" + records + " sha256=" + hex);
    }

    /** Feeds the length of an item and the item, so that no two sets of records feed the same bytes. */
    static void feed(MessageDigest sha, byte[] b) {
        sha.update(ByteBuffer.allocate(4).putInt(b.length).array());
        sha.update(b);
    }
}
