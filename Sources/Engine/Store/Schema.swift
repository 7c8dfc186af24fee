import GRDB

/// The tables, and the way from each version of them to the next.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { try $0.execute(sql: first) }
        migrator.registerMigration("2") { try $0.execute(sql: forwards) }
        migrator.registerMigration("3") { try $0.execute(sql: pools) }
        migrator.registerMigration("images") { try $0.execute(sql: images) }
        migrator.registerMigration("states") { try $0.execute(sql: states) }
        migrator.registerMigration("snapshots") { try $0.execute(sql: snapshots) }
        migrator.registerMigration("volumes") { try $0.execute(sql: volumes) }
        migrator.registerMigration("kept") { try $0.execute(sql: kept) }
        return migrator
    }

    private static let volumes = """
        CREATE TABLE volumes (
            pool TEXT NOT NULL,
            name TEXT NOT NULL,
            record BLOB NOT NULL,
            PRIMARY KEY (pool, name)
        ) STRICT;
        """

    private static let states = "ALTER TABLE instances ADD COLUMN state BLOB;"

    private static let snapshots = """
        CREATE TABLE snapshots (
            instance TEXT NOT NULL,
            name TEXT NOT NULL,
            record BLOB NOT NULL,
            PRIMARY KEY (instance, name)
        ) STRICT;
        """

    private static let kept = """
        CREATE TABLE kept (
            id TEXT PRIMARY KEY,
            record BLOB NOT NULL
        ) STRICT;
        """

    private static let pools = """
        CREATE TABLE pools (
            name TEXT PRIMARY KEY,
            record BLOB NOT NULL
        ) STRICT;
        """

    private static let images = """
        CREATE TABLE images (
            digest TEXT PRIMARY KEY,
            record BLOB NOT NULL
        ) STRICT;
        """

    private static let forwards = """
        CREATE TABLE forwards (
            id TEXT PRIMARY KEY,
            record BLOB NOT NULL
        ) STRICT;
        """

    private static let first = """
        CREATE TABLE instances (
            name TEXT PRIMARY KEY,
            definition BLOB NOT NULL,
            isWanted INTEGER NOT NULL,
            lock TEXT,
            isArriving INTEGER NOT NULL,
            ownsVolume INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE peers (
            name TEXT PRIMARY KEY,
            fingerprint TEXT NOT NULL UNIQUE,
            record BLOB NOT NULL
        ) STRICT;
        CREATE TABLE tokens (
            hash TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            expires INTEGER NOT NULL,
            isUsed INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE migrations (
            id TEXT NOT NULL,
            side TEXT NOT NULL,
            instance TEXT NOT NULL,
            newName TEXT NOT NULL,
            started INTEGER NOT NULL,
            report BLOB NOT NULL,
            PRIMARY KEY (id, side)
        ) STRICT;
        CREATE INDEX migrationsByTime ON migrations (started);
        CREATE TABLE journal (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL,
            side TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            record BLOB NOT NULL,
            context BLOB NOT NULL,
            isSettled INTEGER NOT NULL,
            UNIQUE (id, side, sequence)
        ) STRICT;
        """
}
