//! Names that a tool of a lab cannot have, because a student who types one means another program.

use super::WRAPPED;

/// Programs that call plug-ins named `PROGRAM-ANYTHING`.
const WITH_PLUGINS: [&str; 6] = ["docker", "git", "helm", "kind", "kubectl", "labctl"];

/// Shells, interpreters, and programs that run other programs or reach other machines.
const INTERPRETERS: &str = "\
    ash bash busybox bun clojure csh dash deno elvish emacs erl escript expect fish gawk gdb go groovy \
    ghci guile gvim iex ipython irb java jjs julia jshell ksh lua luajit m4 make mawk mksh nawk node nodejs nu nvim \
    ocaml octave oksh osh osascript pdksh perl php pip pipx posh powershell psql pwsh pypy python r racket \
    rbash ruby runghc rvim sbcl scala sed sh sqlite stap swift tclsh tcsh toybox ts-node uv vi view vim wish \
    xonsh yash zsh";

/// Programs of the base system: of coreutils, util-linux, procps and the shell, and those that
/// every developer's machine has.
const BASE: &str = "\
    alias apk apt apt-get apt-cache aptitude ar arch as at awk b2sum base32 base64 basename bc bg brew \
    builtin bunzip2 bzcat bzip2 c c99 cal cancel cargo cat cc cd chattr chcon chgrp chmod chown chroot \
    chsh cksum clang clear cmake cmp code col column comm command containerd cp cpio cron crontab csplit \
    ctr curl cut date dc dd defaults df diff diff3 dig dir dircolors dirname dmesg dnf dpkg du echo ed \
    egrep eject enable env eval ex exec exit expand export expr factor fallocate false fc fdisk fg fgrep \
    file find findmnt finger flock fmt fold free fsck fuser g gcc getent getfacl getopt git gnupg gpg grep \
    groups gunzip gzip halt hash head hexdump hg host hostid hostname hostnamectl htop iconv id ifconfig \
    info init insmod install ionice ip ipcs iptables jobs join journalctl k kill killall launchctl ld \
    ldd less lesskey let link ln locale localectl locate logger login loginctl logname logout look \
    losetup lp lpr ls lsattr lsblk lscpu lsmod lsns lsof lspci ltrace lz4 mail man md5 md5sum mkdir \
    mkfifo mkfs mknod mktemp modprobe more mount mountpoint mv nano nawk nc ncat netcat netstat newgrp \
    nft nice nix nl nm nmap nohup nologin notify-send npm nproc npx nsenter nslookup numfmt od open \
    openssl pacman passwd paste patch pathchk perldoc pg pgrep pico pidof ping pinky pinfo pip pkexec \
    pkill pmap podman popd poweroff pr printenv printf ps ptx pushd pwd pwdx read readlink readonly \
    realpath reboot rename renice reset return rev rm rmdir rmmod rpm rsync rundll runc runcon runuser \
    scp screen script sdiff sed select seq service set setfacl setpriv setsid sftp sg sha1sum sha224sum \
    sha256sum sha384sum sha512sum shasum shift shred shuf shutdown size slabtop sleep snap socat sort \
    source split ss ssh sshd ssh-add ssh-agent ssh-copy-id ssh-keygen stat stdbuf strace strings strip \
    stty su sudo sudoedit sum svn sw-vers swapoff swapon sync sysctl systemctl systemd systemd-run tac \
    tail tar taskset tc tee telnet test time timeout tload tmux top touch tput tr traceroute trap tree \
    true truncate tset tsort tty type typeset udevadm ulimit umask umount unalias uname uncompress \
    unexpand uniq unlink unset unshare unzip update uptime useradd userdel usermod users uuidgen vdir \
    vigr vipw visudo vmstat w wait wall watch wc wget whatis whereis which while who whoami whois \
    write xargs xattr xdg-open xxd xz yes yum zcat zip zypper zstd \
    buildah crictl dockerd doas minikube nerdctl skopeo \
    addgroup addpart adduser agetty apropos badblocks blkdiscard blkid blockdev bzdiff bzmore chpasswd \
    choom chrt ctrlaltdel debconf debugfs delgroup delpart deluser direnv editor e2fsck expiry faillog \
    fincore fstrim getconf getpcaps getty gh gmake gpasswd groff groupadd groupdel groupmod grpck \
    helpztags hwclock instmodsh invoke-rc ischroot isosize last lastb lastlog ldattach ldconfig \
    logsave lsfd lsirq lsmem lzcat lzma mandb mcookie mesg mke2fs mkhomedir mkswap namei networkctl \
    newusers ninja nologin nroff pager parallel pam-auth-update partx pivot-root prlimit pwck raw \
    resolvectl rtcwake route rtacct run-parts savelog scriptlive select-editor sensible-browser \
    sensible-editor sensible-pager ssh-askpass start-stop-daemon sulogin tabs tarcat telinit terraform \
    timedatectl tipc troff tune2fs tzselect unlzma unxz upgrade usrlogin vcs wdctl wipefs \
    x-terminal-emulator x-www-browser xzcat zdump zic zramctl aws gcloud az";

/// Prefixes of families of system programs.
const FAMILIES: [&str; 12] = [
    "apt-", "deb-", "dpkg-", "fsck-", "gpg", "mkfs-", "pam-", "rpm-", "ssh-", "systemd-",
    "update-", "x-",
];

/// Describes the program that `name` already denotes, if it is reserved: one that labctl itself
/// uses, or one that the system has. `python3-12` counts as `python`: a version at the end is
/// ignored.
pub(in crate::spec) fn reserved(name: &str) -> Option<&'static str> {
    let is_plugin = |of: &str| {
        name.strip_prefix(of)
            .is_some_and(|rest| rest.starts_with('-'))
    };
    if WRAPPED.contains(&name) || name == "labctl" || WITH_PLUGINS.into_iter().any(is_plugin) {
        return Some("a program that labctl itself uses");
    }
    let is_version = |c: char| c.is_ascii_digit() || c == '-';
    let plain = name.trim_end_matches(is_version);
    let is_in = |list: &str| {
        list.split_whitespace()
            .any(|known| known == name || known == plain)
    };
    if is_in(INTERPRETERS) {
        return Some("a shell or an interpreter");
    }
    let is_family = FAMILIES.iter().any(|begin| name.starts_with(begin));
    (is_in(BASE) || is_family || name.len() == 1).then_some("a program of the system")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_student_types_is_never_a_labs_program() {
        for name in [
            "sh",
            "bash",
            "bash5",
            "python",
            "python3",
            "python3-12",
            "perl",
            "node",
            "awk",
            "env",
            "sudo",
            "ls",
            "cat",
            "curl",
            "ssh",
            "git",
            "kubectl",
            "kubectl-get",
            "docker",
            "podman",
            "helm",
            "helm-diff",
            "kind",
            "labctl",
            "labctl-x",
            "git-log",
            "k",
            "sha256sum",
            "x",
            "editor",
            "chpasswd",
            "systemd-mount",
            "ssh-askpass",
            "dpkg-deb",
        ] {
            assert!(reserved(name).is_some(), "{name}");
        }
        for name in [
            "linkerd",
            "istioctl",
            "cilium",
            "argocd",
            "flux",
            "k9s",
            "jq",
            "yq",
            "kustomize",
            "stern",
            "kubectx",
            "kubeseal",
            "velero",
            "vault",
            "step",
            "cmctl",
            "oc",
            "tkn",
            "hey",
            "grpcurl",
        ] {
            assert_eq!(reserved(name), None, "{name}");
        }
    }
}
