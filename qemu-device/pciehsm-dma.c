/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pciehsm: data descriptors and guest memory.
 *
 * All addresses and lengths come from the guest. The card reaches RAM only:
 * neither another device's registers nor its own, so a transfer has no side
 * effects and can not come back to us.
 */
#include "qemu/osdep.h"
#include "pciehsm.h"
#include "trace.h"

static bool pciehsm_dma(PciehsmState *s, dma_addr_t addr, void *buf, size_t len,
                        DMADirection dir)
{
    const MemTxAttrs attrs = { .memory = 1 };
    MemTxResult result;

    if (!pciehsm_range_valid(addr, len)) {
        pciehsm_guest_error(s, dma_range, addr, len);
        return false;
    }
    result = pci_dma_rw(PCI_DEVICE(s), addr, buf, len, dir, attrs);
    if (result != MEMTX_OK) {
        pciehsm_guest_error(s, dma_failed, addr, len, result);
        return false;
    }
    return true;
}

bool pciehsm_dma_read(PciehsmState *s, dma_addr_t addr, void *buf, size_t len)
{
    if (!pciehsm_dma(s, addr, buf, len, DMA_DIRECTION_TO_DEVICE)) {
        return false;
    }
    s->stats.bytes_read += len;
    return true;
}

bool pciehsm_dma_write(PciehsmState *s, dma_addr_t addr, const void *buf,
                       size_t len)
{
    if (!pciehsm_dma(s, addr, (void *)buf, len, DMA_DIRECTION_FROM_DEVICE)) {
        return false;
    }
    s->stats.bytes_written += len;
    return true;
}

bool pciehsm_dptr_none(const struct pciehsm_dptr *dptr)
{
    return !dptr->addr && !dptr->len && !dptr->nseg;
}

void pciehsm_sgl_free(PciehsmSgl *sgl)
{
    g_free(sgl->many);
    sgl->many = NULL;
    sgl->nseg = 0;
    sgl->len = 0;
}

static enum pciehsm_status pciehsm_segs_read(PciehsmState *s, uint64_t addr,
                                             PciehsmSgl *sgl)
{
    g_autofree struct pciehsm_seg *segs = g_new(struct pciehsm_seg, sgl->nseg);
    uint64_t sum = 0;

    if (!pciehsm_dma_read(s, addr, segs, sgl->nseg * sizeof(*segs))) {
        return PCIEHSM_SC_DATA_TRANSFER;
    }

    sgl->many = g_new(PciehsmSeg, sgl->nseg);
    for (uint32_t i = 0; i < sgl->nseg; i++) {
        PciehsmSeg seg = {
            .addr = le64_to_cpu(segs[i].addr),
            .len = le32_to_cpu(segs[i].len),
        };

        if (segs[i].reserved || !pciehsm_range_valid(seg.addr, seg.len)) {
            pciehsm_guest_error(s, segment, i, seg.addr, seg.len);
            return PCIEHSM_SC_INVALID_FIELD;
        }
        sum += seg.len;
        sgl->many[i] = seg;
    }
    if (sum != sgl->len) {
        pciehsm_guest_error(s, segment_sum, sum, sgl->len);
        return PCIEHSM_SC_INVALID_FIELD;
    }
    return PCIEHSM_SC_SUCCESS;
}

enum pciehsm_status pciehsm_dptr_parse(PciehsmState *s,
                                       const struct pciehsm_dptr *dptr,
                                       PciehsmSgl *sgl)
{
    uint64_t addr = le64_to_cpu(dptr->addr);

    *sgl = (PciehsmSgl) {
        .len = le32_to_cpu(dptr->len),
        .nseg = le32_to_cpu(dptr->nseg),
    };

    if (!sgl->len) {
        if (!pciehsm_dptr_none(dptr)) {
            pciehsm_guest_error(s, dptr, addr, sgl->len, sgl->nseg);
            return PCIEHSM_SC_INVALID_FIELD;
        }
        return PCIEHSM_SC_SUCCESS;
    }
    if (!sgl->nseg) {
        if (!pciehsm_range_valid(addr, sgl->len)) {
            pciehsm_guest_error(s, dptr, addr, sgl->len, sgl->nseg);
            return PCIEHSM_SC_INVALID_FIELD;
        }
        sgl->one = (PciehsmSeg) { .addr = addr, .len = sgl->len };
        sgl->nseg = 1;
        return PCIEHSM_SC_SUCCESS;
    }
    if (sgl->nseg > PCIEHSM_MAX_SEGS || addr % 8) {
        pciehsm_guest_error(s, dptr, addr, sgl->len, sgl->nseg);
        return PCIEHSM_SC_INVALID_FIELD;
    }
    return pciehsm_segs_read(s, addr, sgl);
}

static const PciehsmSeg *pciehsm_sgl_segs(const PciehsmSgl *sgl)
{
    return sgl->many ? sgl->many : &sgl->one;
}

bool pciehsm_sgl_read(PciehsmState *s, const PciehsmSgl *sgl, void *buf)
{
    const PciehsmSeg *seg = pciehsm_sgl_segs(sgl);
    uint8_t *p = buf;

    for (uint32_t i = 0; i < sgl->nseg; i++) {
        if (!pciehsm_dma_read(s, seg[i].addr, p, seg[i].len)) {
            return false;
        }
        p += seg[i].len;
    }
    return true;
}

bool pciehsm_sgl_write(PciehsmState *s, const PciehsmSgl *sgl,
                       const void *buf, size_t len)
{
    const PciehsmSeg *seg = pciehsm_sgl_segs(sgl);
    const uint8_t *p = buf;

    assert(len <= sgl->len);
    for (uint32_t i = 0; len; i++) {
        size_t n = MIN(len, seg[i].len);

        if (!pciehsm_dma_write(s, seg[i].addr, p, n)) {
            return false;
        }
        p += n;
        len -= n;
    }
    return true;
}
