#!/bin/bash
# with-systemd.sh HOME COMMAND…
# Runs a command beside a systemd user manager of its own, with this folder for its home. In namespaces and a control group
# of their own. Needs root, and control groups of version 2.
set -e
exec unshare --fork --pid --kill-child --mount --mount-proc --uts --ipc bash -c '
  set -e
  mount --make-rprivate /
  mount -t tmpfs tmpfs /run
  mkdir -p /run/systemd/system /run/user/0
  chmod 700 /run/user/0
  umount -l /sys/fs/cgroup
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  group=/sys/fs/cgroup/rhythm-test-$$-$RANDOM
  mkdir $group
  echo $$ > $group/cgroup.procs
  set +e
  unshare --cgroup --mount bash -c "
    umount /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    export XDG_RUNTIME_DIR=/run/user/0 HOME=\"\$1\"
    shift
    env -i HOME=\"\$HOME\" USER=root SHELL=/bin/bash PATH=/usr/local/bin:/usr/bin:/bin XDG_RUNTIME_DIR=/run/user/0 \\
      /lib/systemd/systemd --user --unit=basic.target --log-target=console >\"\$HOME/systemd.log\" 2>&1 & manager=\$!
    for _ in \$(seq 200); do
      case \$(systemctl --user is-system-running 2>/dev/null) in running|degraded) break;; esac
      sleep .05
    done
    \"\$@\"
    code=\$?
    kill \$manager
    wait \$manager
    exit \$code" with-systemd "$@"
  code=$?
  echo $$ > /sys/fs/cgroup/cgroup.procs
  find $group -depth -type d -exec rmdir {} + 2>/dev/null
  exit $code' with-systemd "$@"
