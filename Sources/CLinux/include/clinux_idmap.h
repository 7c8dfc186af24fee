/* Mounts whose files show other owners than they have on the disk. */
#ifndef CLINUX_IDMAP_H
#define CLINUX_IDMAP_H

/* An idmapped mount of the tree at `path` which is attached nowhere and lasts as long as the returned
 * descriptor (O_PATH, close-on-exec); or -1 and errno, such as ENOSYS before 5.12 and EINVAL where the
 * filesystem has none.
 *
 * `map` holds lines as of /proc/PID/uid_map, for users and groups alike: the first id on the disk, the
 * first id that is shown, and how many. */
int godwit_idmapped_tree(const char *path, const char *map);

#endif
