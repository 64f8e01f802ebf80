#!/bin/bash
# Starts systemd as the first process of namespaces of its own, over a copy of this machine's root that goes with them, and has it
# start the unit in $1, the program in $2, with the packages in $3. What $4/journey.sh then finds is written to $4/found.
# Needs root. Nothing of this machine is changed but a cgroup, $5, which its caller removes.
set -euo pipefail
if [ -z "${INSIDE:-}" ]; then
  mkdir -p "$5"
  echo $$ > "$5/cgroup.procs"
  INSIDE=yes exec unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup -- "$0" "$@"
fi
unit=$1 program=$2 packages=$3 out=$4
mount --make-rprivate /
over=$out/over root=$out/over/root
mkdir "$over"
mount -t tmpfs tmpfs "$over"
mkdir "$over/up" "$over/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$over/up,workdir=$over/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run" -o mode=755
mount -t tmpfs tmpfs "$root/dev" -o mode=755
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm" "$root/dev/pts" "$root/dev/mqueue" "$root/dev/hugepages"
ln -s /proc/self/fd "$root/dev/fd"
mount -t devpts devpts "$root/dev/pts" -o newinstance,ptmxmode=0666
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs tmpfs "$root/dev/shm"
mkdir -p "$root/mnt/out" "$root/opt/clipgate" "$root/etc/clipgate"
mount --bind "$out" "$root/mnt/out"
mount -t tmpfs tmpfs "$root/tmp" -o mode=1777

cp -r "$program/dist" "$program/package.json" "$root/opt/clipgate/"
chmod -R go+rX "$root/opt/clipgate"
mkdir "$root/opt/clipgate/node_modules"
mount --bind "$packages" "$root/opt/clipgate/node_modules"
echo 'clipgate:x:990:990::/var/lib/clipgate:/usr/sbin/nologin' >> "$root/etc/passwd"
echo 'clipgate:x:990:' >> "$root/etc/group"
install -m 600 "$out/master.key" "$out/api-keys" "$root/etc/clipgate/"

units=$root/etc/systemd/system
rm -rf "${units:?}"
mkdir -p "$units/clipgate.service.d"
cp "$unit" "$units/clipgate.service"
printf '[Service]\nEnvironment=CLIPGATE_CLAMD= CLIPGATE_SCAN=off\n' > "$units/clipgate.service.d/test.conf"
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=clipgate.service journey.service\n' > "$units/go.target"
printf '[Unit]\nAfter=clipgate.service\n[Service]\nType=oneshot\nExecStart=/bin/bash /mnt/out/journey.sh\nStandardOutput=file:/mnt/out/said\nStandardError=file:/mnt/out/said\n' > "$units/journey.service"
# The doctor, under the same restrictions.
sed 's/^Type=exec/Type=oneshot/; s/main.js serve/main.js doctor --json/; /^Restart=/d' "$unit" > "$units/doctor.service"
cp -r "$units/clipgate.service.d" "$units/doctor.service.d"
printf 'StandardOutput=file:/mnt/out/doctor\n' >> "$units/doctor.service.d/test.conf"

cd "$root"
mkdir old
pivot_root . old
umount -l /old
mount --make-rshared /
container=oci exec /lib/systemd/systemd --system --unit=go.target --log-target=null
