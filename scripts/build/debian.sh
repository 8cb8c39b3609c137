# shellcheck shell=bash
# Debian root file systems from packages. Sourced by stage scripts.

# The mirror that this machine's own apt uses, or LABCTL_DEBIAN_MIRROR.
debian_sources() {
  local suite=$1 mirror=${LABCTL_DEBIAN_MIRROR:-}
  if [[ -z $mirror ]]; then
    # shellcheck disable=SC2016 # apt's own placeholders
    mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' |
      awk '$1 == "Debian" && $2 !~ /security/ { sub("/$", "", $2); print $2; exit }')
  fi
  if [[ -z $mirror ]]; then
    echo "no Debian mirror among this machine's package sources; name one in LABCTL_DEBIAN_MIRROR" >&2
    return 1
  fi
  echo "deb $mirror $suite main"
  echo "deb $mirror $suite-updates main"
  echo "deb $mirror-security $suite-security main"
}

# debian_rootfs SUITE FOLDER PACKAGES EXTRACTED: a minimal system with PACKAGES installed. Of those in
# EXTRACTED it takes the files alone, without what they depend on and without their maintainer
# scripts: for programs whose dependencies are many times their size.
debian_rootfs() {
  local suite=$1 folder=$2 packages=$3 extracted=$4 deb path excludes=()
  for path in doc man info locale lintian; do excludes+=("--dpkgopt=path-exclude=/usr/share/$path/*"); done
  debian_sources "$suite" >sources
  mmdebstrap --quiet --mode=root --variant=minbase "${excludes[@]}" \
    --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
    --include="${packages// /,}" \
    --customize-hook='mkdir "$1/debs"' \
    --customize-hook="chroot \"\$1\" sh -ec 'cd /debs && apt-get -o APT::Sandbox::User=root download $extracted'" \
    "$suite" "$folder" <sources
  rm sources
  # What the system was made of is kept within it.
  mkdir -p "$folder/usr/share/labctl"
  chroot "$folder" dpkg-query -W -f '${Package} ${Version}\n' >"$folder/usr/share/labctl/packages"
  for deb in "$folder"/debs/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -C "$folder" -x --keep-directory-symlink
    dpkg-deb -W --showformat '${Package} ${Version}\n' "$deb" >>"$folder/usr/share/labctl/packages"
  done
  rm -r "$folder/debs"
}

# drop FOLDER PACKAGE...: their files, whatever depends on them. check_libraries finds what broke.
drop() {
  local folder=$1 package list
  shift
  for package in "$@"; do
    for list in "$folder/var/lib/dpkg/info/$package.list" "$folder/var/lib/dpkg/info/$package":*.list; do
      [[ -f $list ]] || continue
      while IFS= read -r path; do
        [[ (-f $folder$path || -L $folder$path) && ! -d $folder$path ]] && rm -f "$folder$path"
      done <"$list"
      true
    done
  done
}

# drop_leftovers FOLDER: package data, caches, logs and everything that is only read by people.
drop_leftovers() (
  cd "$1"
  rm -rf var/lib/apt var/lib/dpkg/info var/lib/dpkg/*-old var/lib/dpkg/available var/lib/dpkg/status \
    var/lib/dpkg/lock* var/lib/dpkg/triggers var/lib/dpkg/updates \
    var/cache/* var/log/* var/backups/* var/lib/pam var/lib/systemd/deb-systemd-helper-enabled \
    usr/share/perl usr/share/perl5 usr/lib/x86_64-linux-gnu/perl* usr/lib/x86_64-linux-gnu/gconv usr/share/i18n \
    usr/share/bash-completion usr/share/zsh usr/share/doc usr/share/man usr/share/info usr/share/locale usr/share/lintian \
    usr/share/common-licenses usr/share/bug usr/share/doc-base usr/share/menu usr/share/polkit-1 usr/share/gcc usr/share/gdb \
    usr/lib/apt etc/apt etc/dpkg usr/share/debconf usr/share/keyrings run/* tmp/*
  find . -xdev -xtype l -path './etc/alternatives/*' -delete
)

# check_libraries FOLDER: every program left must find its libraries.
check_libraries() {
  local broken
  broken=$(chroot "$1" sh -c '
    for program in /usr/bin/* /usr/sbin/* /usr/lib/systemd/systemd* /usr/lib/postgresql/*/*/*; do
      ldd "$program" 2>/dev/null | sed -n "s|^\s*\(.*\) => not found|$program needs \1|p"
    done')
  [[ -z $broken ]] || {
    printf 'dropped too much:\n%s\n' "$broken" >&2
    return 1
  }
}

# A tar with nothing in it that differs between two builds of the same files.
plain_tar() {
  tar -C "$1" --sort=name --numeric-owner --mtime=@1700000000 --format=gnu -cf - .
}
