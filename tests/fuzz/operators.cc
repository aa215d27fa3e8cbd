/* SPDX-License-Identifier: BSD-2-Clause */
#include <new>

#include "operators.h"

static void *make(unsigned form, std::size_t size)
{
	switch (form % 4) {
	case 0:
		return ::operator new(size);
	case 1:
		return ::operator new[](size);
	case 2:
		return ::operator new(size, std::nothrow);
	default:
		return ::operator new[](size, std::nothrow);
	}
}

static void *make_aligned(unsigned form, std::size_t size, std::align_val_t align)
{
	switch (form % 4) {
	case 0:
		return ::operator new(size, align);
	case 1:
		return ::operator new[](size, align);
	case 2:
		return ::operator new(size, align, std::nothrow);
	default:
		return ::operator new[](size, align, std::nothrow);
	}
}

extern "C" void *model_new(unsigned form, size_t size, size_t align)
{
	try {
		return align > 16 ? make_aligned(form, size, std::align_val_t(align))
				  : make(form, size);
	} catch (const std::bad_alloc &) {
		return nullptr;
	}
}

extern "C" void model_delete(unsigned form, void *p, size_t size, size_t align)
{
	std::align_val_t to = std::align_val_t(align);

	switch (form % 4 + (align > 16 ? 4 : 0)) {
	case 0:
		return ::operator delete(p);
	case 1:
		return ::operator delete[](p);
	case 2:
		return ::operator delete(p, size);
	case 3:
		return ::operator delete[](p, size);
	case 4:
		return ::operator delete(p, to);
	case 5:
		return ::operator delete[](p, to);
	case 6:
		return ::operator delete(p, size, to);
	default:
		return ::operator delete[](p, size, to);
	}
}
